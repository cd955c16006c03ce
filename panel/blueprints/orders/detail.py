"""Order detail: the live page, the receipt, and the customer's refill and cancellation requests."""

from datetime import datetime, timedelta

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from markupsafe import Markup

from panel.blueprints.shared import incident_banner
from panel.blueprints.shared.forms import whole_number
from panel.blueprints.shared.htmx import is_live, pause_or_resume, region_or_304
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import CancelNotAvailable, IllegalTransition, PanelError, RefillNotAvailable, StaleOrder
from panel.domain.status import Status
from panel.services import delivery_times, public_links
from panel.services.accounts.sessions import PageVersions
from panel.services.delivery_times import Measure
from panel.services.orders import cancellations, refills, request_progress
from panel.services.orders import detail as order_detail
from panel.services.orders.detail import OwnOrder
from panel.services.orders.request_progress import AvailableActions
from panel.services.page_version import page_etag
from panel.services.tickets import customer_list
from panel.settings import Settings

bp = Blueprint("order", __name__, url_prefix="/orders/<int:order_id>")

_NOT_NOW = (CancelNotAvailable, RefillNotAvailable, IllegalTransition, StaleOrder)


@bp.get("")
@login_required
def show(order_id: int) -> ResponseReturnValue:
    versions = _versions()
    own = _own_or_404(order_id)
    if "live" in request.args:
        return pause_or_resume(url_for("order.show", order_id=order_id))
    return _page(own, versions)


@bp.get("/live")
@login_required
def live(order_id: int) -> ResponseReturnValue:
    """The live region, or 304 if it hasn't changed."""
    versions = _versions()
    own = _own_or_404(order_id)
    shown = _shown(order_id, versions)
    return region_or_304(shown, lambda: _region(own, request_progress.available_actions(own, now=utc_now()), versions))


@bp.get("/receipt")
@login_required
def receipt(order_id: int) -> ResponseReturnValue:
    own = _own_or_404(order_id)
    found = request_progress.receipt(own)
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
        return _refused(order_id, error)
    flash(f"A refill of order {order_id} is requested. There is no charge. The order is Completed again when it ends.")
    return redirect(url_for("order.show", order_id=order_id), code=303)


@bp.get("/cancellation")
@login_required
def ask_to_cancel(order_id: int) -> ResponseReturnValue:
    """Confirmation page before a cancellation request. If the order can't be canceled, its page with the reason."""
    own = _own_or_404(order_id)
    reason = request_progress.available_actions(own, now=utc_now()).why_no_cancellation
    if reason is not None:
        return _page(own, _versions(), refusal=reason)
    return render_template("orders/cancel.html", own=own)


@bp.post("/cancellation")
@login_required
def request_cancellation(order_id: int) -> ResponseReturnValue:
    _own_or_404(order_id)
    try:
        with transaction():
            cancellations.request_cancellation(order_id, customer_id=current_user.id, now=utc_now())
    except _NOT_NOW as error:
        return _refused(order_id, error)
    if _own_or_404(order_id).status is Status.CANCELED:
        flash(f"Order {order_id} is Canceled. The whole amount is back on your balance.")
    else:
        flash(f"You requested cancellation of order {order_id}. What isn’t delivered is refunded to your balance.")
    return redirect(url_for("order.show", order_id=order_id), code=303)


def _own_or_404(order_id: int) -> OwnOrder:
    own = order_detail.find(order_id, customer_id=current_user.id)
    if own is None:
        abort(404)
    return own


def _versions() -> PageVersions:
    # Versions are read first: data read later can only be newer, and the next poll then fetches it again.
    return PageVersions(current_user.id, current_user.state_version, current_user.catalogue_version)


def _refused(order_id: int, error: PanelError) -> ResponseReturnValue:
    """The order's current page with the error."""
    versions = _versions()
    return _page(_own_or_404(order_id), versions, refusal=error.message), 409


def _page(own: OwnOrder, versions: PageVersions, *, refusal: str = "") -> str:
    now = utc_now()
    actions = request_progress.available_actions(own, now=now)
    settings: Settings = current_app.config["PANEL"]
    public_link = public_links.own(own.id, settings=settings) if own.has_public_link else None
    return render_template(
        "orders/show.html",
        public_link=public_link,
        public_link_address=f"{settings.public_url}/public-orders/{public_link.token}" if public_link else "",
        own=own,
        actions=actions,
        region=_region(own, actions, versions),
        is_live=is_live(),
        refusal=refusal,
    )


def _region(own: OwnOrder, actions: AvailableActions, versions: PageVersions) -> Markup:
    """Render section#live, the only place that does. Only the newest page of the timeline is live."""
    page = _page_number()
    polls = own.status.is_moving and page == 1 and is_live()
    incident = incident_banner.delaying(own.order.provider_id, catalogue_version=versions.catalogue_version)
    now = utc_now()
    completed = delivery_times.time_to_completion(own.tool.id, now=now)
    html = render_template(
        "orders/_live_order.html",
        own=own,
        incident=incident,
        next_step=own.next_step(has_incident=incident is not None),
        timeline=order_detail.timeline(own, page=page),
        money=order_detail.money(own),
        gifts=order_detail.own_gifts(own),
        actions=actions,
        refills=request_progress.refill_stories(own),
        cancellations=request_progress.cancellation_stories(own),
        tickets=customer_list.about_order(own.id) if own.has_tickets else [],
        started=delivery_times.time_to_start(own.tool.id, now=now),
        completed=completed,
        days=delivery_times.WINDOW.days,
        expected=completed and _expected(own, completed),
        shown=_shown(own.id, versions) if polls else None,
    )
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _expected(own: OwnOrder, completed: Measure) -> tuple[datetime, datetime]:
    """Expected completion: when 50 % and 90 % of such orders were completed."""
    seconds = (completed.median_seconds, completed.p90_seconds)
    median, p90 = (own.order.placed_at + timedelta(seconds=each) for each in seconds)
    return median, p90


def _shown(order_id: int, versions: PageVersions) -> str:
    return page_etag(versions, address=url_for("order.live", order_id=order_id))


def _page_number() -> int:
    text = request.args.get("page", "")
    found = whole_number(text, digits=6)
    return 1 if found is None else found
