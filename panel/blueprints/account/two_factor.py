"""Two-factor settings: set up, replace, turn off, and new recovery codes."""

from dataclasses import dataclass

import segno
from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from panel import app_context
from panel.blueprints.shared import auth
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import PanelError, StaleForm, TooManyTries
from panel.security import PRIVATE
from panel.services.accounts import sessions, throttles, two_factor
from panel.services.accounts.throttles import Tries
from panel.settings import Settings

bp = Blueprint("second_factor", __name__)

PIXELS_A_SQUARE = 4
SIGNS_A_GROUP = 4


@dataclass(frozen=True, slots=True)
class Offer:
    """A secret for an authenticator app: as a picture, as text, and encrypted in a hidden field of the form."""

    secret: str
    address: str
    ciphertext: str

    @property
    def in_groups(self) -> str:
        """The secret in groups of four characters, for typing."""
        starts = range(0, len(self.secret), SIGNS_A_GROUP)
        return " ".join(self.secret[at : at + SIGNS_A_GROUP] for at in starts)

    @property
    def picture(self) -> Markup:
        """The QR code as inline SVG, dark on light in either scheme: cameras need it so."""
        code = segno.make(self.address, error="m", micro=False)
        return Markup(code.svg_inline(scale=PIXELS_A_SQUARE, light="#fff", svgclass=None, lineclass=None))  # noqa: S704


@bp.get("/account/second-factor")
@login_required
def show() -> ResponseReturnValue:
    """Two-factor settings, or the setup page if it is off."""
    return _page()


@bp.post("/account/second-factor")
@login_required
def turn_on() -> ResponseReturnValue:
    try:
        secret = _offered_secret()
        tries = _prove_password_and_count_code()
        with transaction():
            auth.lock_own_account()
            codes = two_factor.enable(
                current_user.id, secret=secret, code=_typed("code"), settings=_settings(), now=utc_now()
            )
            _keep_this_device_alone(tries)
    except PanelError as error:
        return _refused(_page(error), error)
    return _codes_page(codes, title="Two-factor authentication is on")


@bp.get("/account/second-factor/replacement")
@login_required
def show_replacement() -> ResponseReturnValue:
    return _replacement_page() if two_factor.is_enabled(current_user.id) else _to_page()


@bp.post("/account/second-factor/replacement")
@login_required
def replace() -> ResponseReturnValue:
    try:
        secret = _offered_secret()
        tries = _prove_password_and_count_code()
        with transaction():
            auth.lock_own_account()
            two_factor.verify_code(
                current_user.id, code=_typed("present_code"), field="present_code", settings=_settings(), now=utc_now()
            )
            codes = two_factor.replace(
                current_user.id, secret=secret, code=_typed("code"), settings=_settings(), now=utc_now()
            )
            _keep_this_device_alone(tries)
    except PanelError as error:
        return _refused(_replacement_page(error), error)
    return _codes_page(codes, title="Your authenticator app is replaced")


@bp.get("/account/second-factor/recovery-codes")
@login_required
def show_recovery_codes() -> ResponseReturnValue:
    return _proof_page("recovery_codes") if two_factor.is_enabled(current_user.id) else _to_page()


@bp.post("/account/second-factor/recovery-codes")
@login_required
def make_recovery_codes() -> ResponseReturnValue:
    """Show the new codes in this response. Only their hashes are stored, so they can't be shown again."""
    try:
        tries = _prove_password_and_count_code()
        with transaction():
            auth.lock_own_account()
            two_factor.verify_code(current_user.id, code=_typed("code"), settings=_settings(), now=utc_now())
            codes = two_factor.new_recovery_codes(current_user.id, now=utc_now())
            throttles.forget(tries)
    except PanelError as error:
        return _refused(_proof_page("recovery_codes", error), error)
    return _codes_page(codes, title="Your new recovery codes")


@bp.get("/account/second-factor/removal")
@login_required
def show_removal() -> ResponseReturnValue:
    if current_user.is_staff or not two_factor.is_enabled(current_user.id):
        return _to_page()
    return _proof_page("removal")


@bp.post("/account/second-factor/removal")
@login_required
def turn_off() -> ResponseReturnValue:
    try:
        tries = _prove_password_and_count_code()
        with transaction():
            auth.lock_own_account()
            two_factor.verify_code(current_user.id, code=_typed("code"), settings=_settings(), now=utc_now())
            two_factor.disable(current_user.id, now=utc_now())
            throttles.forget(tries)
    except PanelError as error:
        return _refused(_proof_page("removal", error), error)
    flash("Two-factor authentication is off. You log in with your email and password.")
    return _to_page()


def _prove_password_and_count_code() -> Tries:
    auth.require_password(current_user, _typed("current_password"))
    with transaction():
        return throttles.count_own_code(current_user.session_id, now=utc_now())


def _keep_this_device_alone(tries: Tries) -> None:
    """Log out every session that has not passed the new second factor."""
    sessions.note_second_factor(current_user.session_id, now=utc_now())
    sessions.end_others(current_user.id, keep=current_user.session_id, now=utc_now())
    throttles.forget(tries)


def _page(error: PanelError | None = None) -> str:
    if not two_factor.is_enabled(current_user.id):
        return _offer_page("set_up", error)
    return render_template(
        "account/two_factor/show.html",
        codes_left=two_factor.recovery_codes_left(current_user.id),
        is_staff=current_user.is_staff,
        errors=by_field(error),
    )


def _replacement_page(error: PanelError | None = None) -> str:
    return _offer_page("replacement", error)


def _offer_page(name: str, error: PanelError | None) -> str:
    return render_template(
        f"account/two_factor/{name}.html",
        email=current_user.email,
        is_staff=current_user.is_staff,
        next=auth.next_path(""),
        offer=_offer(),
        errors=by_field(error),
    )


def _proof_page(name: str, error: PanelError | None = None) -> str:
    """Confirmation page that asks for password and code."""
    return render_template(f"account/two_factor/{name}.html", email=current_user.email, errors=by_field(error))


def _codes_page(codes: list[str], *, title: str) -> ResponseReturnValue:
    page = render_template(
        "account/two_factor/codes.html",
        codes=codes,
        title=title,
        next=auth.next_path(url_for("second_factor.show")),
    )
    response = make_response(page)
    response.headers.extend([PRIVATE])
    return response


def _offer() -> Offer:
    """The secret of the submitted form, so that the app needn't be set up again; otherwise a new one."""
    try:
        secret = _offered_secret()
    except StaleForm:
        secret = two_factor.new_secret()
    settings = _settings()
    return Offer(
        secret,
        two_factor.provisioning_uri(secret, email=current_user.email, site_name=settings.site_name),
        two_factor.encrypt_offer(secret, user_id=current_user.id, settings=settings),
    )


def _offered_secret() -> str:
    return two_factor.decrypt_offer(_typed("offer"), user_id=current_user.id, settings=_settings())


def _typed(name: str) -> str:
    return request.form.get(name, "")


def _settings() -> Settings:
    return app_context.settings()


def _to_page() -> ResponseReturnValue:
    return redirect(url_for("second_factor.show"), code=303)


def _refused(page: str, error: PanelError) -> ResponseReturnValue:
    if isinstance(error, TooManyTries):
        return page, error.http_status, {"Retry-After": str(error.retry_after_seconds)}
    return page, error.http_status
