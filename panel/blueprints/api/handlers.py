"""API action handlers: each parses its call, calls one service and returns the JSON answer."""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask import current_app

from panel.blueprints.api.errors import (
    INCORRECT_ORDER,
    INCORRECT_REQUEST,
    INCORRECT_SERVICE,
    NO_REFILL,
    NOT_CONFIRMED,
    TOO_LARGE,
    TOO_SMALL,
    Refusal,
    error_body,
    refusal_of,
)
from panel.blueprints.api.parsing import Call, number_of, numbers_of
from panel.db import transaction
from panel.domain import money
from panel.domain.errors import PanelError, QuantityTooLarge, QuantityTooSmall
from panel.domain.forms.order_form import OrderForm
from panel.services.api import orders as api_orders
from panel.services.api.test_customers import SCENARIO
from panel.services.catalogue import customer_prices, read_tools
from panel.services.catalogue.customer_prices import PriceList
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import ledger
from panel.services.orders import cancellations, refills

# Fields of `add` for a tool whose form has none of its own; a form without a quantity takes none.
ADD_FIELDS = ("service", "link", "quantity", "request_id")
QUANTITY = "quantity"
_WHOLE = re.compile(r"-?[0-9]+", re.ASCII)
# More digits than any limit has; a longer number is too large in any case.
_MAX_DIGITS = 30


class Rendered(str):
    """A response that is JSON text already."""


def _rendered(body: object) -> Rendered:
    return Rendered(json.dumps(body, separators=(",", ":"), allow_nan=False))


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An action's result before JSON encoding, with its response headers."""

    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def services(call: Call) -> ApiResponse:
    return ApiResponse(services_text(customer_prices.of_customer(call.holder.user_id), now=call.now))


def services_text(prices: PriceList, *, now: datetime) -> Rendered:
    """The tools that can be ordered, as JSON: the same for every caller with this price list."""
    listed = api_orders.services(prices=prices, now=now)
    return _rendered([{**each.entry(), "average_time": each.average_time} for each in listed])


def add(call: Call) -> ApiResponse:
    if call.optional("service") is None:
        call.refuse_others(*ADD_FIELDS, *(SCENARIO,) * call.holder.is_test)
    service = number_of(call.required("service"))
    with transaction():
        version = call.holder.catalogue_version
        offer = None if service is None else read_tools.by_id(service, catalogue_version=version)
        form = None if offer is None else _form_of(call, offer)
        if offer is None or form is None or not form.is_ready:
            call.required("link")
            raise Refusal(INCORRECT_SERVICE)
        call.refuse_others(*_fields_of(form), *_scenario_of(call, form))
        link, request_id = call.required("link"), call.optional("request_id")
        quantity = _digits(call.required(QUANTITY), offer=offer) if form.takes_quantity else ""
        if not call.holder.has_confirmed_email:
            raise Refusal(NOT_CONFIRMED)
        try:
            placed = api_orders.place(
                call.holder,
                offer=offer,
                link=link,
                quantity=quantity,
                fields={name: call.text(name) for name in form.names},
                request_id=request_id,
                scenario=call.optional(SCENARIO) if _scenario_of(call, form) else None,
                now=call.now,
            )
        except QuantityTooSmall as error:
            raise Refusal(TOO_SMALL, limit=offer.minimum) from error
        except QuantityTooLarge as error:
            raise Refusal(TOO_LARGE, limit=offer.maximum) from error
    twice = {} if placed.possible_duplicate is None else {"X-Possible-Duplicate": str(placed.possible_duplicate)}
    return ApiResponse({"order": placed.order_id} | _test_flag(call), twice)


def _scenario_of(call: Call, form: OrderForm) -> tuple[str, ...]:
    """The field that chooses how a test order goes, unless the tool has a field of this name."""
    return (SCENARIO,) if call.holder.is_test and SCENARIO not in form.names else ()


def _test_flag(call: Call) -> dict[str, bool]:
    """The `test` flag of responses about test orders and test money."""
    return {"test": True} if call.holder.is_test else {}


def _form_of(call: Call, offer: ToolOffer) -> OrderForm:
    """The tool's form; for a repeated call from before a change of that form, the form of its order."""
    form, given, request_id = offer.form, call.given, call.optional("request_id")
    takes = {*_fields_of(form), *_scenario_of(call, form)}
    fits = form.is_ready and given.issubset(takes) and form.takes_quantity == (QUANTITY in given)
    if fits or request_id is None:
        return form
    return api_orders.form_of_request(call.customer_id, request_id=request_id) or form


def _fields_of(form: OrderForm) -> tuple[str, ...]:
    """Every field that `add` takes for a tool with this form."""
    names = (*ADD_FIELDS, *form.names)
    return names if form.takes_quantity else tuple(name for name in names if name != QUANTITY)


def _digits(text: str, *, offer: ToolOffer) -> str:
    """Parse a whole number to plain digits; refuses a number far outside any limit."""
    if not _WHOLE.fullmatch(text):
        raise Refusal(INCORRECT_REQUEST, field="quantity")
    if text.startswith("-"):
        raise Refusal(TOO_SMALL, limit=offer.minimum)
    digits = text.lstrip("0") or "0"
    if len(digits) > _MAX_DIGITS:
        raise Refusal(TOO_LARGE, limit=offer.maximum)
    return digits


def status(call: Call) -> ApiResponse:
    words = call.ids("orders", "order")
    if words is None:
        order_id = _order_id(call.required("order"))
        text = _statuses(call, [order_id]).get(order_id)
        if text is None:
            raise Refusal(INCORRECT_ORDER)
        return ApiResponse(Rendered(text))
    order_ids = numbers_of(words)
    return ApiResponse(by_word(order_ids, _statuses(call, order_ids.values())))


def _statuses(call: Call, order_ids: Collection[int]) -> dict[int, str]:
    found = api_orders.statuses(call.customer_id, order_ids=order_ids, currency=current_app.config["PANEL"].currency)
    marked = {number: f'{text[:-1]},"test":true}}' for number, text in found.items()}
    return marked if call.holder.is_test else found


def by_word(order_ids: dict[str, int], found: dict[int, str]) -> Rendered:
    """Statuses of many orders by the ids as the caller wrote them, including the ones not found."""
    unknown = json.dumps(error_body(INCORRECT_ORDER), separators=(",", ":"))
    lines = [
        f'"{word}":{found[order_id]}' if order_id in found else f"{json.dumps(word)}:{unknown}"
        for word, order_id in order_ids.items()
    ]
    return Rendered(f"{{{','.join(lines)}}}")


def refill(call: Call) -> ApiResponse:
    words = call.ids("orders", "order")
    if words is None:
        return ApiResponse({"refill": str(_refill(call, call.required("order")))})
    return ApiResponse([{"order": _echo(word), "refill": _or_error(_refill, call, word)} for word in words])


def _refill(call: Call, word: str) -> int:
    order_id = _order_id(word)
    with transaction():
        return refills.request_refill(order_id, customer_id=call.customer_id, now=call.now).id


def refill_status(call: Call) -> ApiResponse:
    words = call.ids("refills", "refill")
    if words is None:
        word = call.required("refill")
        found = api_orders.refill_words(call.customer_id, refill_ids=numbers_of([word]).values())
        if not found:
            raise Refusal(NO_REFILL)
        return ApiResponse({"status": next(iter(found.values()))})
    numbers, unknown = numbers_of(words), error_body(NO_REFILL)
    known = api_orders.refill_words(call.customer_id, refill_ids=numbers.values())
    return ApiResponse([{"refill": _echo(word), "status": known.get(n, unknown)} for word, n in numbers.items()])


def cancel(call: Call) -> ApiResponse:
    words = call.ids("orders", "order")
    if words is None:
        one = call.optional("order")
        if one is None:
            raise Refusal(INCORRECT_REQUEST, field="orders")
        words = [one]
    return ApiResponse([{"order": _echo(word), "cancel": _or_error(_cancel, call, word)} for word in words])


def _cancel(call: Call, word: str) -> int:
    order_id = _order_id(word)
    with transaction():
        cancellations.request_cancellation(order_id, customer_id=call.customer_id, now=call.now)
    return 1


def balance(call: Call) -> ApiResponse:
    nanos, currency = ledger.balance_nanos(call.customer_id), current_app.config["PANEL"].currency
    return ApiResponse(balance_body(nanos, currency=currency) | _test_flag(call))


def balance_body(nanos: int, *, currency: str) -> dict[str, Any]:
    return {"balance": money.plain(nanos), "currency": currency}


def balance_text(nanos: int, *, currency: str) -> Rendered:
    """A balance as JSON."""
    return _rendered(balance_body(nanos, currency=currency))


def _order_id(word: str) -> int:
    number = number_of(word)
    if number is None:
        raise Refusal(INCORRECT_ORDER)
    return number


def _or_error(handle: Callable[[Call, str], int], call: Call, word: str) -> int | dict[str, str]:
    """Result for one id of a list: an id that is refused doesn't affect the others."""
    try:
        return handle(call, word)
    except Refusal as refusal:
        return {"error": refusal.text}
    except PanelError as error:
        return {"error": refusal_of(error).text}


def _echo(word: str) -> int | str:
    """The id as echoed in the response: a number, or the caller's text if it isn't one."""
    number = number_of(word)
    return word if number is None else number
