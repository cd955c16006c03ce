"""Order page in the office: full history and operator actions, with a preview of their effect on money."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import limit_nanos
from panel.blueprints.shared.forms import whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.errors import BadInput, PanelError
from panel.domain.provider_report import read_count
from panel.domain.settlement import Settlement
from panel.domain.status import Status
from panel.services import audit_log
from panel.services.money import ledger
from panel.services.money.deposits import parse_amount
from panel.services.office import assignments, manual_orders, order_actions, order_detail
from panel.services.office.manual_orders import HandWork
from panel.services.office.order_actions import Act, Deed
from panel.services.office.order_detail import OrderDetail
from panel.services.orders import detail as customer_order_detail
from panel.services.orders import goodwill, transitions
from panel.services.orders.goodwill import Gift

bp = office_blueprint("order")

# A count that a person may well have read somewhere; far below what a column holds.
MOST_COUNT = 10**15
LIST = "/office/orders"
# What the page's forms hold, shown again where nothing could be done.
TYPED = ("to", "remains", "start_count", "reason", "amount", "words", "act", "why")
_ACTS = {act.value: act for act in (Act.CANCEL, Act.ASK, Act.REVIEW)}


@bp.get("/orders/<int:order_id>")
def show(order_id: int) -> ResponseReturnValue:
    return _page(order_id)


@bp.post("/orders/<int:order_id>/claim")
def claim(order_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            assignments.assign(order_id, operator_id=layout.operator_id(), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _refused(order_id, error)
    return _done(order_id, "You work on this order now. Nobody else can move it by hand meanwhile.")


@bp.post("/orders/<int:order_id>/release")
def release(order_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            assignments.release(order_id, operator_id=layout.operator_id(), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _refused(order_id, error)
    return _done(order_id, "You have let the order go.")


@bp.post("/orders/<int:order_id>/status")
def set_status(order_id: int) -> ResponseReturnValue:
    """Move an order that people fulfil; where money moves, after its effect was shown."""
    try:
        work = _hand_work()
        with transaction():
            order = transitions.lock_order(order_id)
            manual_orders.check_version(order, work.version)
            effect = manual_orders.effect(order, work.to, remains=work.remains)
            moves_money = bool(effect.kept_nanos or effect.returned_nanos)
            if moves_money and not work.reason.strip():
                raise BadInput("Money moves with this: write the reason. The customer reads it.", field="reason")
            is_done = not moves_money or "confirmed" in request.form
            if is_done:
                manual_orders.set_order(order_id, work, now=utc_now())
            else:
                manual_orders.check(order, work, now=utc_now())
    except PanelError as error:
        return _refused(order_id, error)
    return (
        _done(order_id, f"Order {order_id} is {work.to.label}.") if is_done else _confirm_status(order_id, work, effect)
    )


@bp.post("/orders/<int:order_id>/acts")
def act(order_id: int) -> ResponseReturnValue:
    """Cancel what nobody has yet, ask the provider now, or open a review."""
    try:
        if request.form.get("act") not in _ACTS:
            raise BadInput("Choose what to do with this order.", field="act")
        deed = Deed(_ACTS[request.form["act"]], request.form.get("why", ""), layout.actor(), layout.operator_id())
        audit_log.checked_reason(deed.reason)
        with transaction():
            order = transitions.lock_order(order_id)
            manual_orders.check_version(order, _version())
            effect = order_actions.effect(order, deed, now=utc_now())
            is_done = not effect.money.returned_nanos or "confirmed" in request.form
            if is_done:
                order_actions.do(order_id, deed, version=_version(), now=utc_now())
    except PanelError as error:
        return _refused(order_id, error, reason="why")
    if not is_done:
        return layout.confirm(
            title=f"Cancel order {order_id}",
            lead=effect.words,
            facts=[
                *_money_facts(effect.money),
                ("Reason, which the customer reads", deed.reason.strip()),
            ],
            action=url_for("office_order.act", order_id=order_id),
            typed=request.form,
            button=f"Cancel and return {_shown(effect.money.returned_nanos)}",
            away=_address(order_id),
            is_danger=True,
        )
    return _done(order_id, f"{deed.act.label}: done.")


@bp.post("/orders/<int:order_id>/goodwill")
def give(order_id: int) -> ResponseReturnValue:
    """Return money that was kept: shown first, then done, once for each number of the form."""
    try:
        amount_nanos = parse_amount(request.form.get("amount", ""))
        words, number = request.form.get("words", ""), _count("number") or 0
        gift = Gift(amount_nanos, words, number, layout.actor(), layout.operator_id(), limit_nanos())
        if "confirmed" in request.form:
            with transaction():
                goodwill.give(order_id, gift, now=utc_now())
        else:
            goodwill.check(order_id, gift, now=utc_now())
    except PanelError as error:
        return _refused(order_id, error, reason="words")
    if "confirmed" not in request.form:
        return _confirm_gift(order_id, gift)
    return _done(order_id, f"{_shown(amount_nanos)} is back on the customer’s balance.")


def _hand_work() -> HandWork:
    """What the form says. Raises BadInput."""
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
    number = read_count(text, most=MOST_COUNT)
    if number is None:
        raise BadInput("Write a whole number in digits, 0 or above.", field=field)
    return number


def _version() -> int:
    return read_count(request.form.get("version", "")) or 0


def _confirm_status(order_id: int, work: HandWork, effect: Settlement) -> ResponseReturnValue:
    facts: list[tuple[str, object]] = [("The order becomes", work.to.label)]
    if work.remains is not None:
        facts.append(("Not delivered", f"{work.remains:,}"))
    facts += [*_money_facts(effect), ("Reason, which the customer reads", work.reason.strip())]
    return layout.confirm(
        title=f"Order {order_id} becomes {work.to.label}",
        lead="What this does to the money cannot be undone, only put right by a new transfer.",
        facts=facts,
        action=url_for("office_order.set_status", order_id=order_id),
        typed=request.form,
        button=f"Set to {work.to.label}"
        + (f" and return {_shown(returned)}" if (returned := effect.returned_nanos) else ""),
        away=_address(order_id),
    )


def _confirm_gift(order_id: int, gift: Gift) -> ResponseReturnValue:
    story = _story(order_id)
    left = goodwill.room(order_id).left_nanos
    balance = ledger.balance_nanos(story.customer.id)
    return layout.confirm(
        title=f"Return {_shown(gift.amount_nanos)} for order {order_id}",
        lead="The status and the counts of the order stay as they are.",
        facts=[
            ("Customer", story.customer.email),
            ("Their balance now", _shown(balance)),
            ("Their balance after", _shown(balance + gift.amount_nanos)),
            ("Kept for this order now", _shown(left)),
            ("Kept for this order after", _shown(left - gift.amount_nanos)),
            ("Words, which the customer reads", gift.words.strip()),
        ],
        action=url_for("office_order.give", order_id=order_id),
        typed=request.form,
        button=f"Return {_shown(gift.amount_nanos)}",
        away=_address(order_id),
    )


def _money_facts(effect: Settlement) -> list[tuple[str, object]]:
    return [
        ("Returned to the customer’s balance", _shown(effect.returned_nanos)),
        ("Kept for what ran", _shown(effect.kept_nanos)),
    ]


def _shown(nanos: int) -> Markup | str:
    return money.shown(nanos, currency=layout.currency())


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
    """The order as it is now, with what was typed and why nothing was changed. `reason`: that field in this form."""
    field = reason if error.field == "reason" else error.field
    if isinstance(error, BadInput) and field:
        return _page(order_id, errors={field: error.message}), error.http_status
    return _page(order_id, refusal=error.message), error.http_status


def _page(order_id: int, *, refusal: str = "", errors: dict[str, str] | None = None) -> str:
    story = _story(order_id)
    return render_template(
        "office/order.html",
        story=story,
        own=story.own,
        money_lines=customer_order_detail.money(story.own),
        timeline=customer_order_detail.timeline(story.own, page=_page_number()),
        refusal=refusal,
        errors=errors or {},
        typed={name: request.form.get(name, "") for name in TYPED},
        limits=layout.limits(),
        operator_id=layout.operator_id(),
        away=layout.back(LIST),
    )


def _page_number() -> int:
    text = request.args.get("page", "")
    found = whole_number(text, digits=6)
    return 1 if found is None else found
