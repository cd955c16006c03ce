"""Error handlers: an HTML page, a one-line fragment for htmx, or JSON for the API.

The page for a 5xx error does not query the database, which may be what failed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from flask import Flask, Response, current_app, g, jsonify, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, NotFound

from panel.blueprints import tickets
from panel.blueprints.account import api_keys, deposits, log_in_two_factor, sign_up_and_log_in, webhooks
from panel.blueprints.office import access
from panel.blueprints.office import canned_answers as office_canned_answers
from panel.blueprints.office import customers as office_customers
from panel.blueprints.office import deposits as office_deposits
from panel.blueprints.office import incidents as office_incidents
from panel.blueprints.office import order as office_order
from panel.blueprints.office import reviews as office_reviews
from panel.blueprints.office import tickets as office_tickets
from panel.blueprints.office import tools as office_tools
from panel.blueprints.office.operations import announcements as office_announcements
from panel.blueprints.office.operations import appearance as office_appearance
from panel.blueprints.office.operations import maintenance as office_maintenance
from panel.blueprints.office.operations import setting_texts as office_setting_texts
from panel.blueprints.office.operations import settings as office_settings
from panel.blueprints.office.operations import tool_retirement as office_tool_retirement
from panel.blueprints.orders import mass as orders_mass
from panel.blueprints.orders import new as orders_new
from panel.blueprints.shared import kept_forms
from panel.blueprints.shared.htmx import logged_out, wants_fragment
from panel.db import may_have_committed
from panel.db.errors import driver_message, is_unavailable
from panel.domain.errors import ExpiredForm, PanelError, RoleNotAllowed, TooManyTries
from panel.logs import redact_path

API = "/api/"
TRY_AGAIN_SECONDS = 60
# Rendered without loading the user, because the database may be what failed.
SERVER_ERRORS = frozenset({500, 503})

log = structlog.get_logger("panel.errors")


@dataclass(frozen=True, slots=True)
class ErrorText:
    """Text of an error page: what happened, what it means and what to do."""

    title: str
    message: str


ERROR_TEXTS = {
    400: ErrorText("This request could not be read", "Part of it was missing or damaged. Nothing was changed."),
    401: ErrorText("Log in first", "You need to be logged in to see this page. Log in, then open it again."),
    403: ErrorText(
        "We didn’t accept this request",
        "It came from another site, or from a page that was open for too long. Nothing was changed.",
    ),
    404: ErrorText("Page not found", "Nothing is at this address, or it belongs to another account."),
    405: ErrorText(
        "This page can’t be used that way",
        "The address doesn’t accept this kind of request. Nothing was changed.",
    ),
    409: ErrorText(
        "Something changed in the meantime",
        "Someone else made a change first. Nothing of yours was saved. Check how it is now, then decide again.",
    ),
    413: ErrorText(
        "That is too large",
        "What you sent is larger than we accept. Nothing was changed. "
        "What you typed is still in the form: go back with your browser’s Back button.",
    ),
    422: ErrorText("This could not be done", "Something in the form isn’t right. Nothing was changed."),
    429: ErrorText("Too many requests", "You sent too many requests. Nothing was changed. Try again in a minute."),
    500: ErrorText("Something failed on our side", "We recorded the error and will fix it."),
    503: ErrorText("Not available right now", "We are working on the site. Try again in a minute."),
}
NOT_YOUR_ROLE = "Your role doesn’t allow this"
TRY_DATABASE_AGAIN_SECONDS = 5
AWAY_WORDS = "Our database is busy or can’t be reached."
CANNOT_SHOW = ErrorText(
    "This can’t be shown right now", f"{AWAY_WORDS} Nothing was recorded. Try again in a few seconds."
)
CANNOT_SAVE = ErrorText(
    "This can’t be saved right now", f"{AWAY_WORDS} Nothing was recorded. Try again in a few seconds."
)
OUTCOME_UNKNOWN = ErrorText(
    "We can’t tell how far this got",
    "Our database stopped answering while this was being saved. Look at what became of it before you send it again.",
)
EXPIRED_FORM = ErrorText(
    "This form is too old",
    "It was opened before you logged in or out, or its cookie is gone. Nothing was changed. "
    "Open the form again, then send it.",
)
EXPIRED_FORM_AGAIN = (
    "This form was too old: you logged in or out after it was opened, or its cookie is gone. "
    "Nothing was changed. Look at it once more, then send it again."
)
# Forms to log in and sign up, which come back when their token has expired.
LOG_IN_RENDERERS: Mapping[str, Callable[[ExpiredForm], ResponseReturnValue]] = {
    "accounts.log_in": sign_up_and_log_in.log_in_again,
    "accounts.sign_up": sign_up_and_log_in.sign_up_again,
    "log_in_code.log_in": log_in_two_factor.log_in_again,
}
# Forms that come back with what was typed, by the endpoint that they are sent to: when their token has expired, and
# after the log-in when the session had ended.
FORM_RENDERERS: Mapping[str, Callable[[ExpiredForm], ResponseReturnValue]] = {
    "deposit.add": deposits.form_again,
    "keys.make": api_keys.form_again,
    "mass_orders.answer": orders_mass.form_again,
    "ordering.check": orders_new.form_again,
    "ordering.place": orders_new.form_again,
    "webhooks.add": webhooks.form_again,
    "webhooks.set_balance_low": webhooks.threshold_again,
    "tickets.open_ticket": tickets.form_again,
    "tickets.answer": tickets.answer_again,
}
# The same for the office, whose pages are a 404 to everyone but operators.
OFFICE_FORM_RENDERERS: Mapping[str, Callable[[ExpiredForm], ResponseReturnValue]] = {
    "office_canned_answers.add": office_canned_answers.form_again,
    "office_canned_answers.edit": office_canned_answers.form_again,
    "office_customers.move_money": office_customers.money_again,
    "office_deposits.confirm": office_deposits.form_again,
    "office_deposits.refuse": office_deposits.form_again,
    "office_incidents.open_incident": office_incidents.form_again,
    "office_incidents.publish": office_incidents.form_again,
    "office_incidents.update": office_incidents.form_again,
    "office_announcements.draft": office_announcements.form_again,
    "office_announcements.edit": office_announcements.form_again,
    "office_maintenance.close": office_maintenance.form_again,
    "office_tool_retirement.schedule": office_tool_retirement.form_again,
    "office_order.apply_action": office_order.form_again,
    "office_order.give": office_order.form_again,
    "office_order.set_status": office_order.form_again,
    "office_reviews.resolve": office_reviews.form_again,
    "office_appearance.change": office_appearance.form_again,
    "office_settings.change": office_settings.form_again,
    "office_setting_texts.save": office_setting_texts.form_again,
    "office_tickets.answer": office_tickets.answer_again,
    "office_tickets.note": office_tickets.answer_again,
    "office_tools.add": office_tools.form_again,
    "office_tools.check": office_tools.form_again,
    "office_tools.check_new": office_tools.form_again,
    "office_tools.save": office_tools.form_again,
}


def init_app(app: Flask) -> None:
    office_forms = {endpoint: access.shown_to_operators(render) for endpoint, render in OFFICE_FORM_RENDERERS.items()}
    kept_forms.init_app(app, {**FORM_RENDERERS, **office_forms})
    app.register_error_handler(PanelError, handle_panel_error)
    app.register_error_handler(CSRFError, handle_csrf_error)
    app.register_error_handler(SQLAlchemyError, handle_database_error)
    app.register_error_handler(HTTPException, handle_http_error)


def handle_panel_error(error: PanelError) -> Response:
    """Render a PanelError that its route did not handle."""
    title = NOT_YOUR_ROLE if isinstance(error, RoleNotAllowed) else _words(error.http_status).title
    words = ErrorText(title, error.message)
    response = _error_response(error.http_status, words, code=error.code)
    if isinstance(error, TooManyTries):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def handle_database_error(error: SQLAlchemyError) -> Response:
    """503 when the database is down, locked or full. Any other database error is a bug and is raised again."""
    if not is_unavailable(error):
        raise error
    log.warning("database unavailable", path=redact_path(request.path), why=driver_message(error))
    is_read = request.method in ("GET", "HEAD", "OPTIONS")
    words = OUTCOME_UNKNOWN if may_have_committed() else CANNOT_SHOW if is_read else CANNOT_SAVE
    response = _error_response(503, words, code="unavailable")
    response.headers["Retry-After"] = str(TRY_DATABASE_AGAIN_SECONDS)
    return response


def handle_csrf_error(error: CSRFError) -> Response:
    """Reject a form with an invalid CSRF token; long forms are shown again with the typed values."""
    log.info("form without a valid token", path=redact_path(request.path), why=error.description)
    again = LOG_IN_RENDERERS.get(request.endpoint or "") or kept_forms.renderer_of(request.endpoint)
    if again is None or wants_fragment():
        return _error_response(400, EXPIRED_FORM, code=ExpiredForm.code)
    try:
        response = make_response(again(ExpiredForm(EXPIRED_FORM_AGAIN)))
    except (NotFound, PanelError):
        # The form's object no longer exists, so there is no page to show it on.
        return _error_response(400, EXPIRED_FORM, code=ExpiredForm.code)
    response.headers["Cache-Control"] = "no-store"
    return response


def handle_http_error(error: HTTPException) -> Response | HTTPException:
    """Render every other HTTP error, from 404 to 500."""
    if error.response is not None or error.code is None or error.code < 400:
        return error
    original = getattr(error, "original_exception", None)
    if isinstance(original, SQLAlchemyError) and is_unavailable(original):
        return handle_database_error(original)  # The database failed while another error page was rendered.
    response = _error_response(error.code, _words(error.code), code=error.name.lower().replace(" ", "_"))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "www-authenticate"):
            response.headers[name] = value
    if error.code in (429, 503):
        response.headers.setdefault("Retry-After", str(TRY_AGAIN_SECONDS))
    return response


def _words(status: int) -> ErrorText:
    return ERROR_TEXTS.get(status) or ERROR_TEXTS[500 if status >= 500 else 400]


def _error_response(status: int, words: ErrorText, *, code: str) -> Response:
    if request.path.startswith(API):
        response = jsonify({"error": words.message})
        response.headers["X-Error-Code"] = code
    elif wants_fragment():
        # The script shows the message for a logged-out poll, so the status is enough.
        response = logged_out() if status == 401 else make_response(_alone("errors/_line.html", words=words))
    else:
        response = make_response(_page(status, words))
        response.vary.add("HX-Request")
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(status: int, words: ErrorText) -> str:
    if status in SERVER_ERRORS or status >= 500:
        again = request.full_path.removesuffix("?") if request.method == "GET" else None
        return _alone("errors/ours.html", words=words, reference=g.get("request_id", ""), again=again)
    return render_template("errors/page.html", words=words, status=status, back=_page_before())


def _alone(template: str, **context: object) -> str:
    """Render without `render_template`, which looks up who is logged in: the database may be what failed."""
    return current_app.jinja_env.get_template(template).render(**context)


def _page_before() -> str | None:
    """The referring page, if it is a different page of this site."""
    parts = urlsplit(request.referrer or "")
    if parts.netloc != request.host or (parts.path == request.path and request.method == "GET"):
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
