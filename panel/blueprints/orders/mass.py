"""Mass order: lines are checked first, then placed, each in its own transaction, with a result per line."""

import re
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from panel.blueprints.shared import tool_state
from panel.blueprints.shared.forms import by_field
from panel.blueprints.shared.own_prices import own_prices
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import BadInput, ExpiredForm, OrderingClosed, PanelError
from panel.services import maintenance
from panel.services.catalogue import favorites, tool_search
from panel.services.catalogue.tool_search import ToolFilter
from panel.services.money import ledger
from panel.services.orders import mass_placing, placing, waiting_order
from panel.services.orders.mass_placing import AgreedTerms, Checked, MassOrderLine
from panel.services.orders.new_order import duplicates

bp = Blueprint("mass_orders", __name__, url_prefix="/orders/mass")

_AGREED = re.compile(r"(\S{1,100})=([1-9][0-9]{0,17})(?::([1-9][0-9]{0,17}))?", re.ASCII)
MAX_EXAMPLES = 10
# The idempotency key of a line is this and the line's number.
_MAX_REQUEST_ID_LENGTH = 90


@dataclass(frozen=True, slots=True)
class LineResult:
    """Result of one line: an order, or the reason why none was placed."""

    line: MassOrderLine
    order_id: int | None
    charge_nanos: int
    fault: str


@bp.get("")
@login_required
def new() -> ResponseReturnValue:
    return _form("", {})


@bp.post("")
@login_required
def answer() -> ResponseReturnValue:
    """Check page for the lines; with `step=place`, place them."""
    text = request.form.get("lines", "")
    try:
        for name in ("lines", "request_id", "step", "terms"):
            if len(request.form.getlist(name)) > 1:
                raise BadInput("A field of the form came more than once. Send the form again.")
        lines = mass_placing.read(text)
        request_id = _request_id()
        if request.form.get("step", "check") == "place":
            return _place(lines, request_id=request_id, terms=_agreed())
        maintenance.check_open(now=utc_now())
    except PanelError as error:
        return _form(text, by_field(error)), error.http_status if isinstance(error, OrderingClosed) else 422
    return _check(lines, text=text, request_id=request_id)


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed lines, its idempotency key and the error."""
    given = request.form.get("request_id", "")
    request_id = given if placing.is_request_id(given) and len(given) <= _MAX_REQUEST_ID_LENGTH else None
    return _form(request.form.get("lines", ""), {"": error.message}, request_id=request_id), error.http_status


def _check(lines: list[MassOrderLine], *, text: str, request_id: str) -> ResponseReturnValue:
    checked = mass_placing.check(lines, customer_id=current_user.id)
    quotes = [each.quote for each in checked if each.quote is not None]
    balance_nanos = ledger.balance_nanos(current_user.id)
    total_nanos = sum(quote.charge_nanos for quote in quotes)
    missing_nanos = max(0, total_nanos - balance_nanos)
    page = render_template(
        "orders/mass_check.html",
        wrong=[each for each in checked if each.quote is None],
        good=[each for each in checked if each.quote is not None],
        text=text,
        request_id=request_id,
        terms=_terms_shown(checked),
        running=duplicates.running_duplicates(current_user.id, quotes),
        states=tool_state.of_tools({quote.offer.tool_id: quote.offer for quote in quotes}.values()),
        total_nanos=total_nanos,
        balance_nanos=balance_nanos,
        after_nanos=balance_nanos - total_nanos,
        missing_nanos=missing_nanos,
        add_nanos=waiting_order.amount_to_add(missing_nanos),
    )
    return page, 200 if quotes and not missing_nanos else 422


def _place(lines: list[MassOrderLine], *, request_id: str, terms: dict[str, AgreedTerms] | None) -> ResponseReturnValue:
    answers = [_place_line(line, request_id=request_id, terms=terms) for line in lines]
    placed = [each for each in answers if each.order_id is not None]
    page = render_template(
        "orders/mass_placed.html",
        wrong=[each for each in answers if each.order_id is None],
        placed=placed,
        total_nanos=sum(each.charge_nanos for each in placed),
        balance_nanos=ledger.balance_nanos(current_user.id),
        left="\n".join(each.line.text for each in answers if each.order_id is None),
        request_id=placing.new_request_id(),
    )
    return page, 200 if placed else 422


def _place_line(line: MassOrderLine, *, request_id: str, terms: dict[str, AgreedTerms] | None) -> LineResult:
    try:
        asked = line.placing(customer_id=current_user.id, request_id=request_id, terms=terms)
        with transaction():
            order = placing.place(current_user.id, asked=asked, now=utc_now())
            return LineResult(line, order.id, order.charge_nanos, "")
    except PanelError as error:
        return LineResult(line, None, 0, error.message)


def _request_id() -> str:
    """The form's idempotency key; a new one if the form has none."""
    given = request.form.get("request_id")
    if given is None:
        return placing.new_request_id()
    if not placing.is_request_id(given) or len(given) > _MAX_REQUEST_ID_LENGTH:
        raise BadInput("The form was incomplete. Check the lines again.")
    return given


def _terms_shown(checked: list[Checked]) -> str:
    """Terms and prices shown on the check page, as a hidden field: `tool=terms:price` for each tool."""
    shown = {each.quote.offer.slug: each.quote.offer for each in checked if each.quote is not None}
    return " ".join(
        f"{slug}={offer.terms_id}:{offer.price_micros_per_thousand}" for slug, offer in sorted(shown.items())
    )


def _agreed() -> dict[str, AgreedTerms] | None:
    """Terms the customer saw on the check page, by tool; None if the form has no such field."""
    given = request.form.get("terms")
    if given is None:
        return None
    matches = [_AGREED.fullmatch(part) for part in given.split()]
    if None in matches or len(matches) > mass_placing.MAX_LINES:
        raise BadInput("The form did not say which terms you saw. Check the lines again.")
    return {
        match[1]: AgreedTerms(int(match[2]), int(match[3]) if match[3] else None)
        for match in matches
        if match is not None
    }


def _form(text: str, errors: dict[str, str], *, request_id: str | None = None) -> str:
    chosen = favorites.tool_ids(current_user.id)
    examples = tool_search.search(ToolFilter(only=chosen), prices=own_prices(), most=MAX_EXAMPLES) if chosen else None
    if examples is None or not examples.tools:
        examples = tool_search.search(ToolFilter(), prices=own_prices(), most=MAX_EXAMPLES)
    return render_template(
        "orders/mass.html",
        text=text,
        errors=errors,
        request_id=request_id or placing.new_request_id(),
        tools=examples.tools,
        max_lines=mass_placing.MAX_LINES,
    )
