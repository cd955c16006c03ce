"""Form errors: show a form again with field errors; and responses for pages opened by a mailed link."""

from typing import Any

from flask import Response, current_app, make_response, render_template
from flask.typing import ResponseReturnValue

from panel.domain.errors import PanelError, TooManyTries
from panel.security import PRIVATE


def by_field(error: PanelError | None) -> dict[str, str]:
    """The error by field name; by the empty name if it isn't about a field."""
    return {} if error is None else {error.field or "": error.message}


def whole_number(text: str, *, digits: int = 18) -> int | None:
    """Parse a whole number of at most `digits` ASCII digits from a form or an address; None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def refused(page: ResponseReturnValue, error: PanelError) -> Response:
    """The page with the error's HTTP status, and `Retry-After` for too many tries."""
    response = make_response(page)
    response.status_code = error.http_status if error.http_status in (409, 410, 429) else 422
    if isinstance(error, TooManyTries):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def token_page(template: str, *, error: PanelError | None = None, **context: Any) -> Response:
    """A page whose address holds a secret token: not cached, not sent as a referrer, and not written on the page.

    Not `no-referrer`: with that, browsers send forms with the origin `null`, which we refuse.
    """
    site = current_app.config["PANEL"].public_url
    page = render_template(template, canonical=site, page_to_come_back_to=lambda: "/", **context)
    response = make_response(page) if error is None else refused(page, error)
    response.headers.set(*PRIVATE)
    response.headers["Referrer-Policy"] = "strict-origin"
    return response
