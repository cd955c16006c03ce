"""Order page in the office: full history and operator actions, with a preview of their effect on money."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office import confirmation, layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import limit_nanos
from panel.blueprints.office.money_forms import amount, shown
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, PanelError
from panel.domain.provider_report import read_count
from panel.domain.settlement import Settlement
from panel.domain.status import Status
from panel.services import audit_log
from panel.services.money import ledger
from panel.services.money.deposits import parse_amount
from panel.services.office import assignments, manual_orders, order_actions, order_detail
from panel.services.office.manual_orders import HandWork
from panel.services.office.order_actions import OrderAction, RequestedAction
from panel.services.office.order_detail import OrderDetail
from panel.services.orders import detail as customer_order_detail
from panel.services.orders import goodwill, transitions
from panel.services.orders.goodwill import Gift

bp = office_blueprint("order", reads=Action.LOOK, changes=Action.SET_ORDERS)

# Upper limit for a typed count, far below what the column holds.
MAX_COUNT = 10**15
LIST = "/office/orders"
# Fields that are shown again as typed after an error.
TYPED = ("to", "remains", "start_count", "reason", "amount", "words", "action", "why")
_ACTIONS = {action.value: action for action in (OrderAction.CANCEL, OrderAction.ASK, OrderAction.REVIEW)}
_DONE = {
    OrderAction.CANCEL: "The order is canceled.",
    OrderAction.ASK: "The order is first in line for the worker’s next pass.",
    OrderAction.REVIEW: "A review is open.",
}
READ_REASON = "Reason, shown to the customer"


@bp.get("/orders/<int:order_id>")
def show(order_id: int) -> ResponseReturnValue:
    return _page(order_id)


@bp.post("/orders/<int:order_id>/assignment")
def assign(order_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            assignments.assign(order_id, operator_id=layout.operator_id(), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _refused(order_id, error)
    return _done(order_id, "You are working on this order. Until you release it, no other operator can change it.")


@bp.post("/orders/<int:order_id>/release")
def release(order_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            assignments.release(order_id, operator_id=layout.operator_id(), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _refused(order_id, error)
    return _done(order_id, "You have released the order.")


@bp.post("/orders/<int:order_id>/status")
def set_status(order_id: int) -> ResponseReturnValue:
    """Set the status of a manual order; if money moves, after a confirmation page."""
    try:
        work = _hand_work()
        with transaction():
            order = transitions.lock_order(order_id)
            manual_orders.check_version(order, work.version)
            effect = manual_orders.effect(order, work.to, remains=work.remains)
            moves_money = bool(effect.kept_nanos or effect.returned_nanos)
            if moves_money and not work.reason.strip():
                raise BadInput("This moves money, so it needs a reason. The customer reads it.", field="reason")
            is_done = not moves_money or confirmation.is_confirmed()
            if is_done:
                manual_orders.set_order(order_id, work, now=utc_now())
            else:
                manual_orders.check(order, work, now=utc_now())
    except PanelError as error:
        return _refused(order_id, error)
    if is_done:
        return _done(order_id, f"Order {order_id} is {work.to.label}.")
    return confirmation.page(_status_question(order_id, work, effect))


@bp.post("/orders/<int:order_id>/actions", action=Action.HANDLE_ORDERS)
def apply_action(order_id: int) -> ResponseReturnValue:
    """Cancel an order that no provider has yet, ask its provider now, or open a review."""
    try:
        if request.form.get("action") not in _ACTIONS:
            raise BadInput("Choose what to do with this order.", field="action")
        requested = RequestedAction(
            _ACTIONS[request.form["action"]], request.form.get("why", ""), layout.actor(), layout.operator_id()
        )
        audit_log.checked_reason(requested.reason)
        with transaction():
            order = transitions.lock_order(order_id)
            manual_orders.check_version(order, _version())
            effect = order_actions.effect(order, requested, now=utc_now())
            is_done = not effect.money.returned_nanos or confirmation.is_confirmed()
            if is_done:
                order_actions.do(order_id, requested, version=_version(), now=utc_now())
    except PanelError as error:
        return _refused(order_id, error, reason="why")
    if is_done:
        return _done(order_id, _DONE[requested.action])
    returned = effect.money.returned_nanos
    return confirmation.page(
        Confirmation(
            title=f"Cancel order {order_id}",
            lead=effect.words,
            facts=[*_money_facts(effect.money), (READ_REASON, requested.reason.strip())],
            button=f"Cancel order and return {shown(returned)}",
            away=_address(order_id),
            is_danger=True,
        )
    )


@bp.post("/orders/<int:order_id>/goodwill", action=Action.MOVE_MONEY)
def give(order_id: int) -> ResponseReturnValue:
    """Goodwill refund of kept money: a confirmation page first, then once per idempotency key."""
    try:
        amount_nanos = parse_amount(request.form.get("amount", ""))
        words, number = request.form.get("words", ""), _count("number") or 0
        gift = Gift(amount_nanos, words, number, layout.actor(), layout.operator_id(), limit_nanos())
        if confirmation.is_confirmed():
            with transaction():
                goodwill.give(order_id, gift, now=utc_now())
        else:
            goodwill.check(order_id, gift, now=utc_now())
    except PanelError as error:
        return _refused(order_id, error, reason="words")
    if not confirmation.is_confirmed():
        return confirmation.page(_gift_question(order_id, gift))
    return _done(order_id, f"{shown(amount_nanos)} was returned to the customer’s balance.")


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The order with the typed values and the error."""
    return _refused((request.view_args or {})["order_id"], error)


def _gift_question(order_id: int, gift: Gift) -> Confirmation:
    story = _story(order_id)
    left, balance = goodwill.room(order_id).left_nanos, ledger.balance_nanos(story.customer.id)
    words = shown(gift.amount_nanos)
    return Confirmation(
        title=f"Return {words} for order {order_id}",
        lead="The order’s status and counts do not change.",
        facts=[
            ("Customer", story.customer.email),
            ("Balance now", amount(balance)),
            ("Balance after", amount(balance + gift.amount_nanos)),
            ("Kept for this order now", amount(left)),
            ("Kept for this order after", amount(left - gift.amount_nanos)),
            ("Message to the customer", gift.words.strip()),
        ],
        button=f"Return {words}",
        away=_address(order_id),
    )


def _hand_work() -> HandWork:
    """Parse the form for a manual order. Raises BadInput."""
    to = next((status for status in Status if status.value == request.form.get("to")), None)
    if to is None:
        raise BadInput("Choose a status.", field="to")
    return HandWork(
        to,
        _count("remains"),
        _count("start_count"),
        request.form.get("reason", ""),
        _version(),
        layout.operator_id(),
        layout.actor(),
    )


def _count(field: str) -> int | None:
    text = request.form.get(field, "").strip()
    if not text:
        return None
    number = read_count(text, most=MAX_COUNT)
    if number is None:
        raise BadInput("Enter a whole number, 0 or above.", field=field)
    return number


def _version() -> int:
    return read_count(request.form.get("version", "")) or 0


def _status_question(order_id: int, work: HandWork, effect: Settlement) -> Confirmation:
    facts: list[tuple[str, object]] = [("New status", work.to.label)]
    if work.remains is not None:
        facts.append(("Not delivered", f"{work.remains:,}"))
    returned = effect.returned_nanos
    return Confirmation(
        title=f"Set order {order_id} to {work.to.label}",
        lead="Money that moves now can only be corrected with another transfer.",
        facts=[*facts, *_money_facts(effect), (READ_REASON, work.reason.strip())],
        button=_set_to(work.to) + (f" and return {shown(returned)}" if returned else ""),
        away=_address(order_id),
        is_danger=work.to is Status.CANCELED,
    )


def _set_to(status: Status) -> str:
    return "Cancel order" if status is Status.CANCELED else f"Set to {status.label}"


def _money_facts(effect: Settlement) -> list[tuple[str, object]]:
    return [
        ("Returned to the customer’s balance", amount(effect.returned_nanos)),
        ("Kept for what was delivered", amount(effect.kept_nanos)),
    ]


def _story(order_id: int) -> OrderDetail:
    story = order_detail.find(order_id, now=utc_now())
    if story is None:
        abort(404)
    return story


def _done(order_id: int, words: str) -> ResponseReturnValue:
    flash(words)
    return redirect(_address(order_id), code=303)


def _address(order_id: int) -> str:
    return layout.with_back(url_for("office_order.show", order_id=order_id))


def _refused(order_id: int, error: PanelError, *, reason: str = "reason") -> ResponseReturnValue:
    """The order's current page, with the typed values and the error. `reason`: the typed reason of this form."""
    errors = by_field(error)
    if "reason" in errors:
        errors = {reason: errors["reason"]}
    return _page(order_id, errors), error.http_status


def _page(order_id: int, errors: dict[str, str] | None = None) -> str:
    story = _story(order_id)
    return render_template(
        "office/order.html",
        story=story,
        own=story.own,
        money_lines=customer_order_detail.money(story.own),
        actions=_offered(story),
        statuses=_statuses(story),
        timeline=customer_order_detail.timeline(story.own, page=_page_number()),
        errors=errors or {},
        typed={name: request.form.get(name, "") for name in TYPED},
        limits=layout.limits(),
        operator_id=layout.operator_id(),
        away=layout.row_in_list(LIST, f"order-{story.own.id}"),
    )


def _offered(story: OrderDetail) -> list[tuple[str, str, str, bool]]:
    """The actions that would succeed now: value, button, effect in words, and whether it ends the order."""
    row = transitions.read_order(story.own.id)
    if row is None:
        return []
    found = []
    for each in order_actions.offered(row, operator_id=layout.operator_id(), now=utc_now()):
        returned = each.effect.money.returned_nanos
        button = each.action.label + (f" and return {shown(returned)}" if returned else "")
        found.append((each.action.value, button, each.effect.words, each.action is OrderAction.CANCEL))
    return found


def _statuses(story: OrderDetail) -> list[tuple[str, str, bool]]:
    """The statuses that can be set by hand now, as buttons; the first one saves counts alone."""
    row = transitions.read_order(story.own.id)
    if row is None:
        return []
    found = order_actions.offered_statuses(row, operator_id=layout.operator_id(), now=utc_now())
    steps = [(to.value, _set_to(to), to is Status.CANCELED) for to in found if to is not row.status]
    return [(row.status.value, "Save counts", False), *steps] if found else []


def _page_number() -> int:
    text = request.args.get("page", "")
    found = whole_number(text, digits=6)
    return 1 if found is None else found
