"""See as this customer: the customer's own pages, read-only, for staff who help the customer.

Beginning it is written to the audit log, and it lasts half an hour in that browser. Each page is rendered by the
customer's own view in a request of its own: with nothing of the operator's cookies, and with another `g` and database
session. So neither of the two gets anything that was cached or stored for the other. Only GET pages of the list below
are shown, as a copy without scripts and forms.
"""

from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from flask import Flask, Response, abort, current_app, g, make_response, redirect, render_template, request, session
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.operations import read_only_page
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.security import PRIVATE
from panel.services.accounts import sessions
from panel.services.accounts.sessions import LoggedIn
from panel.services.office import customers

bp = office_blueprint("customer_view", reads=Action.SEE_AS_CUSTOMER, changes=Action.SEE_AS_CUSTOMER)

LASTS = timedelta(minutes=30)
BEGUN = "customer_view"
# Query parameter that pauses live updates in the session.
PAUSES = "live"
# The pages of the view, by endpoint. Looking at them changes nothing.
SHOWN = frozenset(
    {
        "orders.index",
        "order.show",
        "order.receipt",
        "balance.show",
        "balance.show_statement",
        "deposit.show",
        "tickets.index",
        "tickets.show",
    }
)
# The customer's images, which the office serves to the staff at the same address of its own.
IMAGES = frozenset({"tickets.image"})
# Other pages that need a login, or end it. Public pages stay as they are.
_PRIVATE = ("/account", "/balance", "/log-", "/office", "/orders", "/sign-up", "/tickets", "/welcome")


@bp.post("/customers/<int:customer_id>/view")
def begin(customer_id: int) -> ResponseReturnValue:
    with transaction():
        customers.see_as(customer_id, actor=layout.actor(), now=utc_now())
    session[BEGUN] = [customer_id, (utc_now() + LASTS).isoformat()]
    return redirect(f"{_home(customer_id)}/orders", code=303)


@bp.get("/customers/<int:customer_id>/view")
def back(customer_id: int) -> ResponseReturnValue:
    """Redirect a reload of the form's address to the customer."""
    return redirect(f"/office/customers/{customer_id}", code=303)


@bp.get("/customers/<int:customer_id>/view/<path:page>")
def show(customer_id: int, page: str) -> ResponseReturnValue:
    """A page as the customer sees it. Without a view that was begun in this browser, back to the customer."""
    if not _is_begun(customer_id):
        return back(customer_id)
    endpoint, values = _matched(f"/{page}")
    person = sessions.as_seen_by(customer_id)
    if endpoint not in SHOWN or PAUSES in request.args or person is None:
        abort(404)
    html = _rendered(person, f"/{page}", endpoint, values)
    banner = Markup(render_template("office/customers/view_banner.html", customer_id=customer_id, email=person.email))  # noqa: S704
    home = _home(customer_id)
    copy = read_only_page.make(html, address_in_view=lambda address: _address(address, home=home), banner=banner)
    response = make_response(copy)
    response.headers.set(*PRIVATE)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _home(customer_id: int) -> str:
    return f"/office/customers/{customer_id}/view"


def _is_begun(customer_id: int) -> bool:
    begun = session.get(BEGUN)
    if begun is None:
        return False
    return bool(begun[0] == customer_id and utc_now() < datetime.fromisoformat(begun[1]))


def _matched(path: str) -> tuple[str, dict[str, object]]:
    """The endpoint of this path and its arguments; no endpoint if nothing is there."""
    try:
        endpoint, values = current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return "", {}
    return endpoint, dict(values)


def _address(address: str, *, home: str) -> str | None:
    """Where a link of the customer's page leads in the view; None if it leads nowhere there."""
    path, query = urlsplit(address).path, urlsplit(address).query
    endpoint = _matched(path)[0]
    if endpoint in IMAGES:
        return f"/office{address}"
    if endpoint in SHOWN and PAUSES not in parse_qs(query):
        return f"{home}{address}"
    return None if path.startswith(_PRIVATE) else address


def _rendered(person: LoggedIn, path: str, endpoint: str, values: dict[str, object]) -> str:
    """The customer's page, made in a request of its own that has this person and no cookies."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    kept = ("REMOTE_ADDR", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL", "HTTP_HOST", "QUERY_STRING")
    environ = {name: request.environ[name] for name in kept if name in request.environ}
    environ |= {name: value for name, value in request.environ.items() if name.startswith("wsgi.")}
    environ |= {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": ""}
    with app.app_context(), app.request_context(environ):
        g._login_user = person
        response: Response = make_response(app.ensure_sync(app.view_functions[endpoint])(**values))
        if response.status_code != 200 or response.mimetype != "text/html":
            abort(404)
        return response.get_data(as_text=True)
