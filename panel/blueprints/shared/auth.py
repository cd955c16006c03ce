"""Who asks: the session cookie, the device behind it, and where one goes who must log in first."""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, g, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from flask_login import login_required as _login_required

from panel.blueprints.shared import known_devices
from panel.blueprints.shared.htmx import logged_out, wants_fragment
from panel.clock import utc_now
from panel.db import transaction, write_if_unlocked
from panel.domain.errors import BadInput
from panel.domain.user_agent import device_of, network_of
from panel.models import User
from panel.security.request_identity import MADE_FOR, VISITOR
from panel.services.accounts import email_confirmation, pending_sessions, sessions, throttles, users
from panel.services.accounts.pending_sessions import HalfSignedIn
from panel.services.accounts.sessions import SignedIn

View = TypeVar("View", bound=Callable[..., Any])

# Flask-Login's own decorator, with a type.
login_required: Callable[[View], View] = _login_required

AFTER_LOG_IN = "/orders"
OPERATORS_AFTER_LOG_IN = "/office"
ORDER_FORMS = ("ordering.check", "ordering.place")
# Forms with a long text, by the field that holds it: sent while logged out, they come back as they were typed, and
# once more with a fresh token after the log-in (`errors.FORM_RENDERERS`).
LONG_FORMS = {"tickets.open_ticket": "text", "tickets.answer": "text", "mass_orders.answer": "lines"}
_NOT_AFTER_LOG_IN = ("/log-in", "/log-in/second-factor", "/log-out", "/sign-up")
# Where the cookie keeps the token of one who is half signed in. Flask-Login knows nothing of it.
PENDING_SESSION_KEY = "half"
MAX_NEXT_LENGTH = 1_000
LOGGED_OUT = "has_logged_out"


class MarkedSessions(SecureCookieSessionInterface):
    """Flask's own sessions. The last thing before an answer leaves Flask: mark for whom it was made, for the caches."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        super().save_session(app, session, response)
        person = g.get("_login_user")
        if person is not None and person.is_authenticated:
            request.environ[MADE_FOR] = person.get_id()
        elif not session and not session.modified:
            request.environ[MADE_FOR] = VISITOR


def init_app(app: Flask) -> None:
    """Load whoever holds the token of the cookie, with one read a request and no write."""
    app.session_interface = MarkedSessions()
    app.config.update(PERMANENT_SESSION_LIFETIME=sessions.LASTS, SESSION_REFRESH_EACH_REQUEST=False)
    manager = LoginManager()
    manager.session_protection = None
    manager.user_loader(_load)
    manager.unauthorized_handler(_ask_to_log_in)
    manager.init_app(app, add_context_processor=False)
    app.after_request(_end)


def _load(token: str) -> SignedIn | None:
    read: SignedIn | None = request.environ.get(sessions.SIGNED_IN)
    return read if read is not None and read.token == token else sessions.find(token, now=utc_now())


def _end(response: Response) -> Response:
    """Note that an operator's session is in use, and let a browser that logged out forget the pages it has."""
    person = g.get("_login_user")
    # A page that asks for news keeps no session alive. A streamed answer still reads; the next one will be noted.
    is_poll = request.method == "GET" and wants_fragment()
    if isinstance(person, SignedIn) and person.is_use_due and not is_poll and not response.is_streamed:
        write_if_unlocked(lambda: sessions.note_use(person.sign_in_id, now=utc_now()))
    if g.get(LOGGED_OUT):
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def begin_session(user: User) -> SignedIn | HalfSignedIn:
    """Sign this browser's device in, inside the caller's transaction; only half where a code must be shown first.

    `carry` then fills the cookie, and `onward` says where to go.
    """
    sessions.check_not_disabled(user)
    if user.sealed_totp:
        return pending_sessions.begin(user, now=utc_now())
    return sessions.sign_in(user, device=device(), network=network(), now=utc_now())


def set_session_cookie(whom: SignedIn | HalfSignedIn) -> None:
    """Begin a new session for whoever has just shown a password or a code; nothing of the one before lives on."""
    session.clear()
    if isinstance(whom, HalfSignedIn):
        session[PENDING_SESSION_KEY] = whom.token
        return
    session.permanent = True
    known_devices.remember(whom.id)
    login_user(whom)
    # Flask-Login's own marks. Nothing here reads them, and the cookie travels with each request.
    session.pop("_id", None)
    session.pop("_fresh", None)


def redirect_path(whom: SignedIn | HalfSignedIn, default: str = AFTER_LOG_IN) -> str:
    """Where this person goes next: to the page wanted, by way of the code where that is yet to be shown.

    Operators go to the office, which leads those without a second factor to set one up.
    """
    if isinstance(whom, HalfSignedIn):
        return url_for("log_in_code.show", next=next_path("") or None)
    return next_path(OPERATORS_AFTER_LOG_IN if whom.is_operator else default)


def pending_session() -> HalfSignedIn | None:
    """Who has shown the password in this browser, and must show a code yet."""
    token = session.get(PENDING_SESSION_KEY)
    return pending_sessions.find(token, now=utc_now()) if isinstance(token, str) else None


def require_password(user: SignedIn, typed: str, *, field: str = "current_password") -> None:
    """Raises BadInput unless this is the password of whoever is signed in, and TooManyTries. Opens transactions."""
    with transaction():
        tries = throttles.count_own_password(user.sign_in_id, now=utc_now())
    if not users.is_password(typed, users.password_hash_by_email(user.email)):
        raise BadInput("This is not your current password. Nothing was changed.", field=field)
    with transaction():
        throttles.forget(tries)


def lock_own_account() -> None:
    """Hold the account of whoever is logged in, inside the caller's transaction. Raises StaleForm when a reset, or
    another device, has logged this one out since the request began."""
    email_confirmation.hold_own(current_user, now=utc_now())


def clear_session() -> None:
    """Empty the cookie, and let the browser forget the pages and what scripts kept; the choice of colors stays."""
    logout_user()
    session.clear()
    setattr(g, LOGGED_OUT, True)


def device() -> str:
    return device_of(request.user_agent.string)


def network() -> str:
    return network_of(request.remote_addr)


def next_path(default: str = AFTER_LOG_IN) -> str:
    """Where to go after log-in: what `next` says, if that is a page of this site, else the default."""
    wanted = request.values.get("next", "")
    return wanted if is_local_page(wanted) else default


def is_local_page(text: str) -> bool:
    """Whether this is a path on this site. Browsers read `//host` and `/\\host` as another one.

    One that is longer than the headers of an answer may be behind a proxy is none: the answer would not arrive.
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


def _ask_to_log_in() -> ResponseReturnValue:
    if wants_fragment():
        return logged_out()
    wanted = _page_asked_for()
    long_field = LONG_FORMS.get(request.endpoint or "")
    if long_field is not None and request.form.get(long_field):
        return _kept_form(long_field, log_in_url=url_for("accounts.show_log_in", next=wanted or None))
    return redirect(url_for("accounts.show_log_in", next=wanted or None), code=303)


def _kept_form(long_field: str, *, log_in_url: str) -> ResponseReturnValue:
    """The form as it was typed, on a page that leads to the log-in: too long for an address, as an order's is kept."""
    others = [(name, value) for name, value in request.form.items() if name not in (long_field, "csrf_token")]
    fields = [*others, (long_field, request.form[long_field])]
    return render_template("account/logged_out_form.html", fields=fields, log_in_url=log_in_url), 403


def _page_asked_for() -> str:
    """The page itself, or, for a form that was sent while signed out, the page with the form.

    An order comes back as it was typed: whoever was signed out meanwhile need not write it again.
    """
    if request.method in ("GET", "HEAD"):
        wanted = request.full_path.removesuffix("?")
    elif request.endpoint in ORDER_FORMS:
        tool, link, quantity = (request.form.get(name) or None for name in ("tool", "link", "quantity"))
        wanted = url_for("ordering.new", tool=tool, link=link, quantity=quantity)
    else:
        parts = urlsplit(request.referrer or "")
        wanted = f"{parts.path}?{parts.query}".removesuffix("?") if parts.netloc == request.host else ""
    return wanted if is_local_page(wanted) else ""
