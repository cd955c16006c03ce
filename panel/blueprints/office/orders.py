"""Orders table in the office, its live region, and bulk actions (a preview first, then one transaction per order)."""

from datetime import datetime

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel.blueprints.office import confirmation, layout
from panel.blueprints.office.access import may, office_blueprint
from panel.blueprints.office.money_forms import shown
from panel.blueprints.shared.csv_files import csv_stream
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, PanelError
from panel.domain.lists import office_order_filters
from panel.domain.lists.list_filters import BadFilters
from panel.domain.lists.office_order_filters import OfficeOrderFilters
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.services import audit_log
from panel.services.accounts import people_search
from panel.services.office import bulk_actions, exports, order_actions, order_table, queues
from panel.services.office.bulk_actions import Result
from panel.services.office.order_actions import OrderAction, RequestedAction

bp = office_blueprint("orders", reads=Action.LOOK, changes=Action.HANDLE_ORDERS)

PAGE, LIVE = "/office/orders", "/office/orders/live"
QUEUES = tuple(name for name, _label in queues.ORDER_QUEUES)
# Bulk actions with their buttons; each shows a preview first.
BULK_ACTIONS = (
    (OrderAction.ASK.value, "Ask the provider"),
    (OrderAction.REVIEW.value, "Open reviews"),
    *(
        (f"{OrderAction.MOVE}:{status}", f"Set to {status.label}")
        for status in bulk_actions.BULK_STATUSES
        if status.is_open
    ),
    (f"{OrderAction.MOVE}:{Status.COMPLETED}", "Set to Completed"),
    (f"{OrderAction.MOVE}:{Status.CANCELED}", "Cancel manual orders"),
    (OrderAction.CANCEL.value, "Cancel unsent orders"),
)
FIELDS = ("q", "status", "tool", "provider", "customer", "queue", "from", "to")


@bp.get("/orders")
def index() -> ResponseReturnValue:
    try:
        wanted = office_order_filters.parse(request.args, queues=QUEUES)
    except BadFilters as error:
        return _form(region=None, wanted=None, errors=error.errors), 422
    if "live" in request.args:
        return layout.choose_updates(_address(PAGE, wanted))
    region, _shown = _region(wanted)
    return _form(region=region, wanted=wanted, errors={})


@bp.get("/orders/live")
def live() -> Response:
    """The live table, or 304 if it hasn't changed."""
    return layout.region_alone(_region(office_order_filters.parse(request.args, queues=QUEUES)))


@bp.get("/orders.csv", action=Action.EXPORT)
def csv() -> ResponseReturnValue:
    """The orders that the filters leave, on all pages."""
    try:
        wanted = office_order_filters.parse(request.args, queues=QUEUES)
    except BadFilters as error:
        return _form(region=None, wanted=None, errors=error.errors), 422
    rows = exports.orders(wanted, layout.limits(), now=utc_now())
    return csv_stream("orders.csv", head=exports.ORDER_HEAD, rows=rows)


@bp.post("/orders/actions")
def apply_action() -> ResponseReturnValue:
    """Bulk action: without `confirmed` a preview for each selected order; with it, the outcome for each."""
    now, chosen = utc_now(), [number for text in request.form.getlist("order") if (number := _number(text))]
    try:
        requested = bulk_actions.requested(request.form, actor=layout.actor(), operator_id=layout.operator_id())
        bulk_actions.check_choice(chosen)
        audit_log.check_role(order_actions.action_of(requested.action), actor=requested.actor)
        if not confirmation.is_confirmed():
            return _preview(chosen, requested, now=now)
        audit_log.checked_reason(requested.reason)
    except BadInput as error:
        if error.field == "reason":
            return _preview(chosen, requested, now=now, errors=by_field(error)), 422
        return _chosen_again(error)
    versions = {order_id: _number(request.form.get(f"version-{order_id}", "")) for order_id in chosen}
    results = [_do(order_id, requested, version=versions[order_id], now=utc_now()) for order_id in chosen]
    return render_template(
        "office/bulk_done.html",
        results=results,
        title=bulk_actions.title(requested, len(results)),
        away=layout.back(PAGE),
    )


def _do(order_id: int, requested: RequestedAction, *, version: int, now: datetime) -> Result:
    """Run the action on each order in its own transaction, so that a refused one doesn't block the others."""
    try:
        with transaction():
            order_actions.do(order_id, requested, version=version, now=now)
    except PanelError as error:
        return Result(order_id, error.message)
    return Result(order_id, "")


def _preview(
    chosen: list[int], requested: RequestedAction, *, now: datetime, errors: dict[str, str] | None = None
) -> str:
    with transaction():
        preview = bulk_actions.preview(chosen, requested, now=now)
    possible, returned = len(preview.possible), preview.returned_nanos
    return render_template(
        "office/bulk.html",
        preview=preview,
        title=bulk_actions.title(requested, len(chosen)),
        action=bulk_actions.named(requested),
        button=bulk_actions.title(requested, possible) + (f" and return {shown(returned)}" if returned else ""),
        is_danger=requested.action is OrderAction.CANCEL or requested.to is Status.CANCELED,
        is_read_by_customers=requested.action in (OrderAction.CANCEL, OrderAction.MOVE),
        reason=requested.reason,
        errors=errors or {},
        away=layout.back(PAGE),
    )


def _offered() -> list[tuple[str, str]]:
    """The bulk actions that this person's role allows."""
    may_set = may(Action.SET_ORDERS)
    offered = [each for each in BULK_ACTIONS if may_set or not each[0].startswith(OrderAction.MOVE)]
    return offered if may(Action.HANDLE_ORDERS) else []


def _chosen_again(error: BadInput) -> ResponseReturnValue:
    """The table again, with the error in the selection."""
    wanted = OfficeOrderFilters(OrderFilters())
    region, _shown = _region(wanted)
    return _form(region=region, wanted=wanted, errors=by_field(error)), 422


def _form(*, region: Markup | None, wanted: OfficeOrderFilters | None, errors: dict[str, str]) -> str:
    """The page around the live region; without it if the filters are invalid."""
    typed = {name: request.args.get(name, "").strip() for name in FIELDS}
    page_url = _address(PAGE, wanted) if wanted else PAGE
    return render_template(
        "office/orders.html",
        region=region,
        typed=typed,
        errors=errors,
        statuses=[("", "All statuses"), *((status.slug, status.label) for status in Status)],
        tools=order_table.tools(),
        providers=[("", "All providers"), *order_table.providers()],
        queues=[("", "Any queue"), *queues.ORDER_QUEUES],
        heading=dict(queues.ORDER_QUEUES).get(wanted.queue if wanted else "", "Orders"),
        actions=_offered(),
        page_url=page_url,
        csv_url=f"{PAGE}.csv?{wanted.at(None).query()}" if wanted else "",
        kept=[*(wanted.pairs() if wanted else []), *([("after", wanted.after)] if wanted and wanted.after else [])],
        is_live=layout.is_live(),
        is_narrow=bool(wanted and wanted.is_narrow),
    )


def _region(wanted: OfficeOrderFilters) -> tuple[Markup, str]:
    now = utc_now()
    page = order_table.page(wanted, layout.limits(), now=now)
    return layout.region(
        "office/_orders.html",
        live_url=_address(LIVE, wanted),
        label="Orders",
        page=page,
        year=now.year,
        searched=order_table.SEARCHED_ORDERS if page.is_part_searched else 0,
        searched_accounts=people_search.SEARCHED_ACCOUNTS if page.is_part_of_people else 0,
        has_days=wanted.filters.period is not None,
        is_narrow=wanted.is_narrow,
        is_beyond=wanted.after is not None and not page.lines,
        filters=wanted.query(),
        first=_address(PAGE, wanted.at(None)) if wanted.after is not None else None,
        following=_address(PAGE, wanted.at(page.next_after)) if page.next_after is not None else None,
        clear_url=PAGE,
    )


def _address(path: str, wanted: OfficeOrderFilters) -> str:
    query = wanted.query()
    return f"{path}?{query}" if query else path


def _number(text: str) -> int:
    return whole_number(text) or 0
