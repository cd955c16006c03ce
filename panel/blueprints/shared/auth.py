"""Authentication: session cookie, Flask-Login setup, and redirects to and after the login."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import (
    Flask,
    Response,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_login import login_required as _login_required

from panel.blueprints.shared import kept_forms, known_devices
from panel.blueprints.shared.forms import by_field
from panel.blueprints.shared.htmx import logged_out, wants_fragment
from panel.blueprints.shared.signed_sessions import SignedSessions
from panel.clock import utc_now
from panel.db import transaction, write_if_unlocked
from panel.domain.accounts.user_agent import device_of, network_of
from panel.domain.errors import BadInput, PanelError
from panel.models import User
from panel.services.accounts import email_confirmation, hashing_turns, pending_sessions, sessions, throttles, users
from panel.services.accounts.pending_sessions import PendingLogIn
from panel.services.accounts.sessions import TOKEN_KEY, LoggedIn
from panel.services.stored_settings import live as live_settings

View = TypeVar("View", bound=Callable[..., Any])

# Flask-Login's own decorator, with a type.
login_required: Callable[[View], View] = _login_required

AFTER_LOG_IN = "/orders"
OPERATORS_AFTER_LOG_IN = "/office"
_NOT_AFTER_LOG_IN = ("/log-in", "/log-in/second-factor", "/log-out", "/sign-up")
# Session key for the token of a pending session (password correct, code still needed). Flask-Login does not use it.
PENDING_SESSION_KEY = "half"
MAX_NEXT_LENGTH = 1_000
LOGGED_OUT = "has_logged_out"


class SessionLogins(LoginManager):  # type: ignore[misc]
    """Flask-Login with our session cookie alone: no "remember me" cookie and no protection by network and browser, for
    both of which it looks in each request."""

    def init_app(self, app: Flask) -> None:
        """Register with the app, without a hook or a context processor."""
        app.login_manager = self  # type: ignore[attr-defined]

    def _load_user(self) -> None:
        token = session.get(TOKEN_KEY)
        self._update_request_context_with_user(_load(token) if isinstance(token, str) else None)


def init_app(app: Flask) -> None:
    """Set up Flask-Login: the user is loaded with one query per request and no write."""
    app.session_interface = SignedSessions()
    app.config.update(PERMANENT_SESSION_LIFETIME=sessions.LASTS, SESSION_REFRESH_EACH_REQUEST=False)
    manager = SessionLogins()
    manager.unauthorized_handler(ask_to_log_in)
    manager.init_app(app)
    app.after_request(_end)


def _load(token: str) -> LoggedIn | None:
    read: LoggedIn | None = request.environ.get(sessions.LOGGED_IN)
    person = read if read is not None and read.token == token else sessions.find_committed(token, now=utc_now())
    if person is not None:
        live_settings.follow(person.catalogue_version)
    return person


def _end(response: Response) -> Response:
    """Update the last use of an operator's session, and clear the browser's cache after a logout."""
    person = g.get("_login_user")
    if isinstance(person, LoggedIn) and person.is_use_due:
        # Polls don't extend a session. A streamed response is still reading, so the next request is recorded instead.
        is_poll = request.method == "GET" and wants_fragment()
        if not is_poll and not response.is_streamed:
            write_if_unlocked(lambda: sessions.note_use(person.session_id, now=utc_now()))
    if g.get(LOGGED_OUT):
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def begin_session(user: User) -> LoggedIn | PendingLogIn:
    """Create a session, or a pending session when a two-factor code is needed, inside the caller's transaction.

    Call `set_session_cookie` with the result, then redirect to `redirect_path`.
    """
    sessions.check_not_disabled(user)
    if user.encrypted_totp:
        return pending_sessions.begin(user, now=utc_now())
    return sessions.log_in(user, device=device(), network=network(), now=utc_now())


def set_session_cookie(whom: LoggedIn | PendingLogIn) -> None:
    """Replace the session cookie after a correct password or code; nothing of the old session is kept."""
    session.clear()
    if isinstance(whom, PendingLogIn):
        session[PENDING_SESSION_KEY] = whom.token
        return
    session.permanent = True
    known_devices.remember(whom.id)
    login_user(whom)
    # Flask-Login's own keys are not used here and would make the cookie longer.
    session.pop("_id", None)
    session.pop("_fresh", None)


def redirect_path(whom: LoggedIn | PendingLogIn, default: str = AFTER_LOG_IN) -> str:
    """Redirect target after a login: the code page if a code is needed, otherwise `next` or the default.

    Operators go to the office, which asks them to set up two-factor authentication first.
    """
    if isinstance(whom, PendingLogIn):
        return url_for("log_in_code.show", next=next_path("") or None)
    return next_path(OPERATORS_AFTER_LOG_IN if whom.is_staff else default)


def pending_session() -> PendingLogIn | None:
    """The pending session of this browser: password correct, code still needed."""
    token = session.get(PENDING_SESSION_KEY)
    return pending_sessions.find(token, now=utc_now()) if isinstance(token, str) else None


@hashing_turns.turn()
def require_password(user: LoggedIn, typed: str, *, field: str = "current_password") -> None:
    """Check the current password again. Raises BadInput or TooManyTries. Opens its own transactions."""
    with transaction():
        tries = throttles.count_own_password(user.session_id, now=utc_now())
    if not users.is_password(typed, users.password_hash_by_email(user.email)):
        raise BadInput("This is not your current password. Nothing was changed.", field=field)
    with transaction():
        throttles.forget(tries)


def lock_own_account() -> None:
    """Lock the row of the logged-in account, inside the caller's transaction. Raises StaleForm when a reset or
    another device has logged this one out since the request began."""
    email_confirmation.hold_own(current_user, now=utc_now())


def clear_session() -> None:
    """Clear the session, and the browser's cache and storage with it. The theme cookie stays."""
    logout_user()
    session.clear()
    setattr(g, LOGGED_OUT, True)


def device() -> str:
    return device_of(request.user_agent.string)


def network() -> str:
    return network_of(request.remote_addr)


def next_path(default: str = AFTER_LOG_IN) -> str:
    """The `next` parameter if it is a local path, otherwise the default."""
    wanted = request.values.get("next", "")
    return wanted if is_local_page(wanted) else default


def is_local_page(text: str) -> bool:
    """Whether this is a path on this site. Browsers read `//host` and `/\\host` as another one.

    Too long a path is rejected: proxies limit the length of response headers.
    """
    if len(text) > MAX_NEXT_LENGTH:
        return False
    if not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and parts.path not in _NOT_AFTER_LOG_IN


def after_log_in(whom: LoggedIn, default: str = AFTER_LOG_IN) -> ResponseReturnValue:
    """The form that was sent while logged out, as it was typed, otherwise a redirect to the page asked for."""
    again = kept_forms.shown_again(whom)
    if again is not None:
        return again
    if kept_forms.FIELD in request.form:
        flash(kept_forms.CANNOT_SHOW)
    return redirect(redirect_path(whom, default), code=303)


def log_in_page(error: PanelError | None = None, *, kept_form: str | None = None, next: str | None = None) -> str:
    """The log-in form. It carries the form that was sent while logged out, if there is one."""
    return render_template(
        "account/log_in.html",
        email=request.form.get("email", "") if kept_form is None else "",
        next=next_path("") if next is None else next,
        kept_form=kept_forms.carried() if kept_form is None else kept_form,
        is_too_long=kept_form == "",
        errors=by_field(error),
    )


def ask_to_log_in() -> ResponseReturnValue:
    """Redirect to the log-in; a form that someone typed into is kept in the log-in page itself."""
    if wants_fragment():
        return logged_out()
    wanted = _page_asked_for()
    if not kept_forms.is_request_kept():
        return redirect(url_for("accounts.show_log_in", next=wanted or None), code=303)
    response = make_response(log_in_page(kept_form=kept_forms.encrypt_request(), next=wanted), 403)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page_asked_for() -> str:
    """The page to return to after the login: the requested page, or the page that holds the submitted form."""
    if request.method in ("GET", "HEAD"):
        wanted = request.full_path.removesuffix("?")
    else:
        parts = urlsplit(request.referrer or "")
        wanted = f"{parts.path}?{parts.query}".removesuffix("?") if parts.netloc == request.host else ""
    return wanted if is_local_page(wanted) else ""
