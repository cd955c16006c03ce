"""One order: its page that follows it, its receipt, and what its customer may do with it."""

import hashlib

from flask import Blueprint, Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from markupsafe import Markup

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import CancelNotAvailable, IllegalTransition, RefillNotAvailable, StaleOrder
from panel.domain.status import Status
from panel.services import cancellations, measures, order_page, refills
from panel.services.order_page import OwnOrder

bp = Blueprint("order", __name__, url_prefix="/orders/<int:order_id>")

_NOT_NOW = (CancelNotAvailable, RefillNotAvailable, IllegalTransition, StaleOrder)


@bp.get("")
@login_required
def show(order_id: int) -> ResponseReturnValue:
    return _page(_own_or_404(order_id))


@bp.get("/live")
@login_required
def live(order_id: int) -> ResponseReturnValue:
    """The part of the page that follows the order, or 304 when it is as the page has it."""
    region, shown = _region(_own_or_404(order_id))
    if request.headers.get("HX-PTag") == shown:
        return Response(status=304)
    response = make_response(region)
    response.headers["HX-PTag"] = shown
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/receipt")
@login_required
def receipt(order_id: int) -> ResponseReturnValue:
    own = _own_or_404(order_id)
    found = order_page.receipt(own)
    if found is None:
        abort(404)
    return render_template("orders/receipt.html", own=own, receipt=found)


@bp.post("/refills")
@login_required
def request_refill(order_id: int) -> ResponseReturnValue:
    _own_or_404(order_id)
    try:
        with transaction():
            refills.request_refill(order_id, customer_id=current_user.id, now=utc_now())
    except _NOT_NOW as error:
        return _page(_own_or_404(order_id), refusal=error.message), 409
    flash(f"A refill of order {order_id} is requested. There is no charge. The order is Completed again when it ends.")
    return redirect(url_for("order.show", order_id=order_id), code=303)


@bp.post("/cancellation")
@login_required
def request_cancellation(order_id: int) -> ResponseReturnValue:
    _own_or_404(order_id)
    try:
        with transaction():
            cancellations.request_cancellation(order_id, customer_id=current_user.id, now=utc_now())
    except _NOT_NOW as error:
        return _page(_own_or_404(order_id), refusal=error.message), 409
    if _own_or_404(order_id).status is Status.CANCELED:
        flash(f"Order {order_id} is Canceled. The whole amount is back on your balance.")
    else:
        flash(f"You have asked for order {order_id} to be stopped. What did not run comes back to your balance.")
    return redirect(url_for("order.show", order_id=order_id), code=303)


def _own_or_404(order_id: int) -> OwnOrder:
    own = order_page.find(order_id, customer_id=current_user.id)
    if own is None:
        abort(404)
    return own


def _page(own: OwnOrder, *, refusal: str = "") -> str:
    now = utc_now()
    region, _shown = _region(own)
    return render_template(
        "orders/show.html",
        own=own,
        region=region,
        is_live=_is_followed(),
        refusal=refusal,
        checked_at=now,
        started=measures.time_to_start(own.tool.id, now=now),
        completed=measures.time_to_completion(own.tool.id, now=now),
        days=measures.WINDOW.days,
    )


def _region(own: OwnOrder) -> tuple[Markup, str]:
    """The region that follows the order, and the hash of what it shows: one way for the page and for the poll."""
    now = utc_now()
    shown_page = _page_number()
    inside = render_template(
        "orders/_order.html",
        own=own,
        timeline=order_page.timeline(own, page=shown_page),
        money=order_page.money(own),
        acts=order_page.acts(own, now=now),
    )
    shown = hashlib.sha256(inside.encode()).hexdigest()[:32]
    polls = own.status.is_moving and shown_page == 1 and _is_followed()
    region = render_template("orders/_live_order.html", own=own, inside=Markup(inside), shown=shown, polls=polls)  # noqa: S704
    return Markup(region), shown  # noqa: S704


def _is_followed() -> bool:
    """Whether the page updates itself; its pause form says so in the address."""
    return request.args.get("live") != "off"


def _page_number() -> int:
    text = request.args.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 1
