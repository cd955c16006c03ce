"""Sign-up, log-in, log-out, and the account page with password and logged-in devices."""

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel import app_context
from panel.blueprints.account import log_in_two_factor, welcome
from panel.blueprints.shared import auth, kept_forms, known_devices
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import BadCredentials, BadInput, EmailTaken, ExpiredForm, PanelError, TooManyTries
from panel.models import LinkPurpose
from panel.services.accounts import email_changes, email_links, hashing_turns, sessions, throttles, two_factor, users
from panel.services.accounts.pending_sessions import PendingLogIn
from panel.services.accounts.sessions import LoggedIn
from panel.services.mail import security_alerts
from panel.services.money import deposits
from panel.services.payments import methods

bp = Blueprint("accounts", __name__)

_NOTICES = {
    "password": "Your password is changed. All other devices are logged out.",
    "elsewhere": "All other devices are logged out.",
    "device": "That device is logged out.",
}


@bp.get("/sign-up")
def show_sign_up() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(auth.next_path(), code=303)
    return _sign_up_page()


@bp.post("/sign-up")
def sign_up() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(auth.next_path(), code=303)
    try:
        logged_in = _open_account(request.form.get("email", ""), request.form.get("password", ""))
    except PanelError as error:
        return _refused(_sign_up_page(error), error)
    auth.set_session_cookie(logged_in)
    return redirect(auth.redirect_path(logged_in, welcome.PATH), code=303)


def sign_up_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with its email and the reason why it was not taken."""
    if current_user.is_authenticated:
        return redirect(auth.next_path(), code=303)
    return _sign_up_page(error), error.http_status


@hashing_turns.turn()
def _open_account(email: str, password: str) -> LoggedIn | PendingLogIn:
    email = users.normalize_email(email)
    users.check_new_password(password, email=email, site_name=app_context.settings().site_name)
    with transaction():
        most = current_app.config["PANEL"].sign_ups_an_hour
        throttles.count_sign_up(email, network=auth.network(), most_an_hour=most, now=utc_now())
    password_hash = users.hash_password(password)
    with transaction():
        user = users.add_user(email, password_hash=password_hash, is_confirmed=False, now=utc_now())
        email_changes.ask_to_confirm(user.id, now=utc_now())
        return auth.begin_session(user)


def _sign_up_page(error: PanelError | None = None) -> str:
    return render_template(
        "account/sign_up.html",
        email=request.form.get("email", ""),
        next=auth.next_path(""),
        errors=by_field(error),
        is_taken=isinstance(error, EmailTaken),
        shortest=users.MIN_PASSWORD_LENGTH,
        longest=users.MAX_PASSWORD_LENGTH,
        min_deposit_nanos=deposits.MIN_NANOS,
        payment_methods=methods.names(),
    )


@bp.get("/log-in")
def show_log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(auth.next_path(), code=303)
    return auth.log_in_page()


@bp.post("/log-in")
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return auth.after_log_in(current_user)
    try:
        logged_in = _let_in(request.form.get("email", ""), request.form.get("password", ""))
    except PanelError as error:
        return _refused(auth.log_in_page(error), error)
    auth.set_session_cookie(logged_in)
    if isinstance(logged_in, LoggedIn):
        return auth.after_log_in(logged_in)
    if kept_forms.carried():
        # A redirect would lose the form that the page carries.
        return log_in_two_factor.code_page(logged_in)
    return redirect(auth.redirect_path(logged_in), code=303)


def log_in_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with its email and the reason why it was not taken."""
    if current_user.is_authenticated:
        return auth.after_log_in(current_user)
    return auth.log_in_page(error), error.http_status


@hashing_turns.turn()
def _let_in(email: str, password: str) -> LoggedIn | PendingLogIn:
    if not email.strip():
        raise BadInput("The email is missing.", field="email")
    if not password:
        raise BadInput("The password is missing.", field="password")
    with transaction():
        device = known_devices.device_name(users.id_by_email(email))
        tries = throttles.count_log_in(email, network=auth.network(), device=device, now=utc_now())
    kept_hash = users.password_hash_by_email(email)
    if not users.is_password(password, kept_hash):
        raise _wrong()
    fresh_hash = users.fresh_hash(password, kept_hash)
    with transaction():
        # Locked, so that a concurrent password change or closing of the account also ends this session, or comes first.
        user = users.find_by_email(email, is_locked=True)
        if user is None or user.password_hash != kept_hash:
            raise _wrong()
        if fresh_hash is not None:
            users.set_password(user.id, password_hash=fresh_hash)
        throttles.forget(tries)
        return auth.begin_session(user)


def _wrong() -> BadCredentials:
    return BadCredentials("The email or the password is wrong. Check both and try again.")


@bp.post("/log-out")
@login_required
def log_out() -> ResponseReturnValue:
    with transaction():
        sessions.end_session(current_user.session_id, user_id=current_user.id, now=utc_now())
    auth.clear_session()
    return redirect(url_for("accounts.show_log_in"), code=303)


@bp.get("/account")
@login_required
def show() -> ResponseReturnValue:
    return _account_page()


@bp.post("/account/password")
@login_required
def change_password() -> ResponseReturnValue:
    try:
        _change_password(request.form.get("current_password", ""), request.form.get("password", ""))
    except PanelError as error:
        return _refused(_account_page(error), error)
    return redirect(url_for("accounts.show", done="password"), code=303)


def _change_password(current: str, password: str) -> None:
    auth.require_password(current_user, current)
    users.check_new_password(password, email=current_user.email, site_name=app_context.settings().site_name)
    with hashing_turns.turn():
        password_hash = users.hash_password(password)
    with transaction():
        auth.lock_own_account()
        users.set_password(current_user.id, password_hash=password_hash)
        sessions.end_others(current_user.id, keep=current_user.session_id, now=utc_now())
        email_links.end_all(current_user.id, LinkPurpose.RESET, now=utc_now())
        security_alerts.password_changed(current_user.id, now=utc_now())


@bp.post("/account/devices/log-out-elsewhere")
@login_required
def log_out_elsewhere() -> ResponseReturnValue:
    with transaction():
        sessions.end_others(current_user.id, keep=current_user.session_id, now=utc_now())
    return redirect(url_for("accounts.show", done="elsewhere"), code=303)


@bp.post("/account/devices/<int:session_id>/log-out")
@login_required
def log_out_device(session_id: int) -> ResponseReturnValue:
    with transaction():
        was_there = sessions.end_session(session_id, user_id=current_user.id, now=utc_now())
    if not was_there:
        abort(404)
    if session_id == current_user.session_id:
        auth.clear_session()
        return redirect(url_for("accounts.show_log_in"), code=303)
    return redirect(url_for("accounts.show", done="device"), code=303)


def _account_page(error: PanelError | None = None) -> str:
    return render_template(
        "account/show.html",
        email=current_user.email,
        devices=sessions.devices(current_user.id, now=utc_now()),
        this_device=current_user.session_id,
        has_second_factor=two_factor.is_enabled(current_user.id),
        done=_NOTICES.get(request.args.get("done", "")),
        errors=by_field(error),
        shortest=users.MIN_PASSWORD_LENGTH,
        longest=users.MAX_PASSWORD_LENGTH,
    )


def _refused(page: str, error: PanelError) -> ResponseReturnValue:
    if isinstance(error, TooManyTries):
        return page, error.http_status, {"Retry-After": str(error.retry_after_seconds)}
    return page, 422
