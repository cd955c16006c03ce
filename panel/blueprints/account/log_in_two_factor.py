"""Two-factor login: the code page that follows a correct password."""

from flask import Blueprint, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import auth, kept_forms, known_devices
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import ExpiredForm, PanelError, StaleForm, TooManyTries
from panel.services.accounts import pending_sessions, sessions, throttles, two_factor, users
from panel.services.accounts.pending_sessions import PendingLogIn
from panel.services.accounts.sessions import LoggedIn

bp = Blueprint("log_in_code", __name__)

_TOO_LATE = StaleForm("It’s been too long since you entered your password, or it has changed. Log in again.")


@bp.get("/log-in/second-factor")
def show() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(auth.next_path(), code=303)
    pending = auth.pending_session()
    return _to_log_in() if pending is None else code_page(pending)


@bp.post("/log-in/second-factor")
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return auth.after_log_in(current_user)
    pending = auth.pending_session()
    if pending is None:
        return _to_log_in()
    if "choose" in request.form:
        # Submit button for the other kind of code: a page that carries a form would lose it on a link.
        return code_page(pending)
    try:
        logged_in, codes_left = _let_in(pending, request.form.get("code", ""))
    except StaleForm:
        return _to_log_in()
    except PanelError as error:
        return _refused(code_page(pending, error), error)
    auth.set_session_cookie(logged_in)
    if codes_left is not None:
        flash(
            f"You used a recovery code. {codes_left} of {two_factor.RECOVERY_CODES} are left. If your app is lost, "
            "replace it now: Account, then Two-factor authentication."
        )
    return auth.after_log_in(logged_in)


def _let_in(pending: PendingLogIn, code: str) -> tuple[LoggedIn, int | None]:
    """Log in; returns the remaining recovery codes if one was used. Raises StaleForm if the pending session expired."""
    with transaction():
        device = known_devices.device_name(pending.user_id)
        tries = throttles.count_code(pending.user_id, network=auth.network(), device=device, now=utc_now())
    with transaction():
        codes_left = two_factor.verify_code(
            pending.user_id, code=code, settings=current_app.config["PANEL"], now=utc_now()
        )
        user = users.find(pending.user_id)
        if user.closed_at is not None or not pending_sessions.finish(pending.pending_id):
            raise _TOO_LATE
        throttles.forget(tries)
        logged_in = sessions.log_in(
            user, device=auth.device(), network=auth.network(), has_shown_second_factor=True, now=utc_now()
        )
    return logged_in, codes_left


def log_in_again(error: ExpiredForm) -> ResponseReturnValue:
    """The code page, or the log-in, with the reason; a form that it carries is carried on."""
    if current_user.is_authenticated:
        return auth.after_log_in(current_user)
    pending = auth.pending_session()
    return _to_log_in() if pending is None else (code_page(pending, error), error.http_status)


def code_page(pending: PendingLogIn, error: PanelError | None = None) -> str:
    return render_template(
        "account/two_factor/log_in.html",
        email=pending.email,
        next=auth.next_path(""),
        kept_form=kept_forms.carried(),
        errors=by_field(error),
        with_recovery_code=request.values.get("with") == "recovery-code",
    )


def _to_log_in() -> ResponseReturnValue:
    if kept_forms.carried():
        return auth.log_in_page(_TOO_LATE), _TOO_LATE.http_status
    return redirect(url_for("accounts.show_log_in", next=auth.next_path("") or None), code=303)


def _refused(page: str, error: PanelError) -> ResponseReturnValue:
    if isinstance(error, TooManyTries):
        return page, error.http_status, {"Retry-After": str(error.retry_after_seconds)}
    return page, error.http_status
