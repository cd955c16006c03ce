"""Public order page: one order for anyone with its public link, and its live region.

A wrong token and a revoked one get the same answer. Wrong tokens are counted by network: after too many, no token is
looked up for it.
"""

from flask import Blueprint, abort, current_app, make_response, render_template
from flask.typing import ResponseReturnValue

from panel import security
from panel.blueprints.shared import htmx
from panel.blueprints.shared.forms import token_page
from panel.security import push_topics
from panel.services import public_links
from panel.services.public_links import PublicOrder

# Of a network. An open page whose link is revoked asks once more and then stops.
MAX_WRONG_A_MINUTE = 30
# The hash of the region that says that there is no such link, so that the page accepts it.
GONE = "gone"

bp = Blueprint("public_order", __name__, url_prefix="/public-orders/<token>")


@bp.get("")
def show(token: str) -> ResponseReturnValue:
    order = _find(token)
    key = str(current_app.secret_key)
    topic = push_topics.of_public_order(order.token_hash, key=key) if order else ""
    page = token_page("orders/public.html", order=order, live_address=_live_address(token), topic=topic)
    # Beside the page's own `noindex`: what reads only headers must not list the address either.
    page.headers["X-Robots-Tag"] = "noindex"
    return page if order else (page, 404)


@bp.get("/live")
def live(token: str) -> ResponseReturnValue:
    """The region, 304 if it hasn't changed, or a last one without an address to poll once the link is revoked."""
    order = _find(token)
    if order is None:
        gone = make_response(_region(None, ""), 404)
        gone.headers[htmx.REGION_TAG] = GONE
        return gone
    response = htmx.region_or_304(order.shown, lambda: _region(order, _live_address(token)))
    response.headers.extend([security.PRIVATE])
    return response


def _find(token: str) -> PublicOrder | None:
    app, who = current_app._get_current_object(), f"public-link:{security.client_network()}"  # type: ignore[attr-defined]
    if security.is_rate_limited(app, who, most_a_minute=MAX_WRONG_A_MINUTE):
        abort(429)
    order = public_links.find(token)
    if order is None:
        security.hit_rate_limit(app, who, most_a_minute=MAX_WRONG_A_MINUTE)
    return order


def _region(order: PublicOrder | None, live_address: str) -> str:
    return render_template("orders/_public_order.html", order=order, live_address=live_address)


def _live_address(token: str) -> str:
    return f"/public-orders/{token}/live"
