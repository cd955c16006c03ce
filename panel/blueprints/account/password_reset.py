"""Password reset: request the link, then set a new password with it."""

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel import app_context
from panel.blueprints.shared import auth, known_devices
from panel.blueprints.shared.forms import by_field, refused, token_page
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import LinkIsSpent, PanelError
from panel.services import password_reset
from panel.services.accounts import hashing_turns, throttles, two_factor, users
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints

bp = Blueprint("passwords", __name__)


@bp.get("/forgot-password")
def show_forgotten() -> ResponseReturnValue:
    return _forgotten_page(email=request.args.get("email", ""))


@bp.post("/forgot-password")
def forgotten() -> ResponseReturnValue:
    """Same response and same amount of work whether or not the email has an account."""
    typed = request.form.get("email", "")
    try:
        email = users.normalize_email(typed)
        with transaction():
            if throttles.count_reset(email, network=auth.network(), now=utc_now()):
                password_reset.request_reset(email, now=utc_now())
    except PanelError as error:
        return refused(_forgotten_page(email=typed, error=error), error)
    return redirect(url_for("passwords.sent"), code=303)


@bp.get("/forgot-password/sent")
def sent() -> ResponseReturnValue:
    return render_template("account/reset/sent.html")


@bp.get("/reset-password/<token>")
def show(token: str) -> ResponseReturnValue:
    """The form. Opening the page changes nothing: mail scanners open links too."""
    return _form(token)


@bp.post("/reset-password/<token>")
def reset(token: str) -> ResponseReturnValue:
    try:
        _set_password(token, request.form.get("password", ""), ends=_ends())
    except PanelError as error:
        return _form(token, error)
    if current_user.is_authenticated:
        auth.clear_session()
    return redirect(url_for("passwords.done"), code=303)


@bp.get("/reset-password/done")
def done() -> ResponseReturnValue:
    return render_template("account/reset/done.html")


def _ends() -> dict[str, bool]:
    """Which accesses to end with the old password, as checked in the form."""
    return {f"ends_{name}": request.form.get(f"end_{name}") == "yes" for name in ("keys", "webhooks")}


@hashing_turns.turn()
def _set_password(token: str, password: str, *, ends: dict[str, bool]) -> None:
    link = password_reset.find(token, now=utc_now())
    if link is None:
        raise LinkIsSpent("This link no longer works. Nothing was changed.")
    users.check_new_password(password, email=link.email, site_name=app_context.settings().site_name)
    password_hash = users.hash_password(password)
    with transaction():
        password_reset.set_password(token, password_hash=password_hash, now=utc_now(), **ends)
    # The owner of the mailbox is known now: other people's wrong passwords don't count against this browser.
    known_devices.remember(link.user_id)


def _form(token: str, error: PanelError | None = None) -> Response:
    link = password_reset.find(token, now=utc_now())
    if link is None:
        return token_page("account/reset/spent.html", error=LinkIsSpent("This link no longer works."))
    return token_page(
        "account/reset/form.html",
        error=error,
        email=link.email,
        is_confirmed=users.find(link.user_id).email_confirmed_at is not None,
        keys=api_keys.listed(link.user_id),
        webhooks=[summary.endpoint.url for summary in webhook_endpoints.listed(link.user_id)],
        has_second_factor=two_factor.is_enabled(link.user_id),
        ends=_ends(),
        errors=by_field(error),
        shortest=users.MIN_PASSWORD_LENGTH,
        longest=users.MAX_PASSWORD_LENGTH,
    )


def _forgotten_page(*, email: str, error: PanelError | None = None) -> str:
    return render_template("account/reset/forgotten.html", email=email, errors=by_field(error))
