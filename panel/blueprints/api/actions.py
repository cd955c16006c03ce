"""Table of API actions: used to dispatch calls and to generate the documentation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from panel.blueprints.api import handlers as api_handlers
from panel.blueprints.api.errors import INCORRECT_ORDER, NO_REFILL, error_body
from panel.blueprints.api.handlers import ApiResponse
from panel.blueprints.api.parsing import Call
from panel.domain.forms import order_types
from panel.domain.forms.order_form import FieldKind, FieldRule, OrderForm
from panel.services.api import orders as api_orders


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a call, with the value that examples use."""

    name: str
    means: str
    example: str
    is_required: bool = True
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class CallVariant:
    """One call signature of an action: its fields, and an example response of exactly the shape returned."""

    means: str
    fields: tuple[Field, ...]
    answer: Any
    # Whether the response is an object whose keys are ids.
    is_by_id: bool = False
    # The type of tools that it is for, where it is `add`.
    order_type: str = ""
    # Whether /api shows it in full, with examples; the table of types has the others.
    is_shown: bool = True


@dataclass(frozen=True, slots=True)
class ApiAction:
    """One action: what it does, its call variants, and the function behind it."""

    name: str
    means: str
    run: Callable[[Call], ApiResponse]
    variants: tuple[CallVariant, ...]
    only_reads: bool = True


_REQUEST_ID = Field(
    "request_id",
    f"Your own id of this request: 1 to {api_orders.MAX_REQUEST_ID_LENGTH} letters, digits, "
    "dots, colons, hyphens or underscores. Send it again and you get the same order.",
    "my-order-7",
    is_required=False,
)


def _own_field(rule: FieldRule) -> Field:
    choices = ", ".join(f"{value} ({label})" for value, label in rule.choices)
    parts = (f"{rule.label}.", rule.one_line_hint, f"One of {choices}." if choices else "")
    means = " ".join(part for part in parts if part)
    return Field(rule.name, means, rule.example, rule.is_required, is_number=rule.kind is FieldKind.NUMBER)


def _add(form: OrderForm) -> CallVariant:
    """How `add` is called for tools of this type; the fields are those of the table of types."""
    quantity = (Field("quantity", "How many, as a whole number.", "1000", is_number=True),)
    is_default = form.order_type == order_types.DEFAULT
    return CallVariant(
        "One order" if is_default else f"Type {form.order_type}",
        (
            Field("service", "The tool’s number, as services lists it.", "1", is_number=True),
            Field("link", "The public link, as the tool’s page asks for it.", "https://example.com/page-1"),
            *map(_own_field, form.fields),
            *(quantity if form.takes_quantity else ()),
            _REQUEST_ID,
        ),
        {"order": 23501},
        order_type=form.order_type,
        is_shown=is_default or form.order_type == "Custom Comments",
    )


_STATUS = {"charge": "0.27819", "start_count": "3572", "status": "Partial", "remains": "157", "currency": "USD"}
_ORDER = Field("order", "The order’s number.", "1", is_number=True)
_ORDERS = Field("orders", "Up to 100 orders' numbers, separated by commas, or as a JSON list.", "1,2,3")

ACTIONS = {
    action.name: action
    for action in (
        ApiAction(
            "services",
            "Lists every tool that you can order, with its type, its rate and its limits.",
            api_handlers.services,
            (
                CallVariant(
                    "All tools",
                    (),
                    [
                        {
                            "service": 1,
                            "name": "Product page visits",
                            "type": "Default",
                            "category": "Pages",
                            "rate": "0.90",
                            "min": "50",
                            "max": "10000",
                            "refill": True,
                            "cancel": True,
                            "dripfeed": False,
                            "desc": "Visits to a public page of a shop.",
                            "average_time": "5400",
                        }
                    ],
                ),
            ),
        ),
        ApiAction(
            "add",
            "Places an order and charges your balance. The tool’s type in services says which fields it takes.",
            api_handlers.add,
            tuple(map(_add, order_types.TYPES.values())),
            only_reads=False,
        ),
        ApiAction(
            "status",
            "Returns the status of orders. The charge is what you have paid so far: refunds are already subtracted.",
            api_handlers.status,
            (
                CallVariant("One order", (_ORDER,), _STATUS),
                CallVariant("Many orders", (_ORDERS,), {"1": _STATUS, "2": error_body(INCORRECT_ORDER)}, is_by_id=True),
            ),
        ),
        ApiAction(
            "refill",
            "Requests a refill of a Completed order, if the tool offers refill. Returns the refill’s number.",
            api_handlers.refill,
            (
                CallVariant("One order", (_ORDER,), {"refill": "1"}),
                CallVariant(
                    "Many orders",
                    (_ORDERS,),
                    [{"order": 1, "refill": 1}, {"order": 3, "refill": error_body(INCORRECT_ORDER)}],
                ),
            ),
            only_reads=False,
        ),
        ApiAction(
            "refill_status",
            "Returns the status of refills: Pending, In progress, Completed or Rejected.",
            api_handlers.refill_status,
            (
                CallVariant(
                    "One refill",
                    (Field("refill", "The refill’s number.", "1", is_number=True),),
                    {"status": "Completed"},
                ),
                CallVariant(
                    "Many refills",
                    (Field("refills", "Up to 100 refills' numbers, separated by commas, or as a JSON list.", "1,2,3"),),
                    [{"refill": 1, "status": "Completed"}, {"refill": 3, "status": error_body(NO_REFILL)}],
                ),
            ),
        ),
        ApiAction(
            "cancel",
            "Cancels orders that weren’t sent yet, and asks the provider to stop the others, if the tool offers it. "
            "Such an order ends when the provider reports how much was delivered.",
            api_handlers.cancel,
            (
                CallVariant(
                    "Many orders",
                    (_ORDERS,),
                    [{"order": 9, "cancel": error_body(INCORRECT_ORDER)}, {"order": 2, "cancel": 1}],
                ),
            ),
            only_reads=False,
        ),
        ApiAction(
            "balance",
            "Returns the balance you can spend.",
            api_handlers.balance,
            (CallVariant("Your balance", (), {"balance": "100.84292", "currency": "USD"}),),
        ),
    )
}
