"""Checks of the contract. Each returns what it saw; together they place one or two orders of the smallest quantity."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from panel.domain.forms.order_form import OrderForm
from panel.domain.forms.order_types import TYPES
from tests.conformance.server import NotApplicable, NotConforming, Server, decimal_of, expect_error, fields_of, shown

STATUSES = ("Pending", "Processing", "In progress", "Completed", "Partial", "Canceled")
UNKNOWN_ID = "999999999999"
SERVICE_FIELDS: dict[str, type] = {
    "service": int,
    "name": str,
    "type": str,
    "category": str,
    "rate": str,
    "min": str,
    "max": str,
    "refill": bool,
    "cancel": bool,
}


@dataclass
class Run:
    """A run of the suite: the server, the service and link to order, and what earlier checks found out."""

    server: Server
    service: str
    link: str
    offer: dict[str, Any] = field(default_factory=dict)
    order: str = ""

    @property
    def order_fields(self) -> dict[str, str]:
        """A valid call of `add`, without its request id."""
        fields = {"service": self.service, "link": self.link, **self.own_fields}
        return fields | {"quantity": self.offer["min"]} if self.form.takes_quantity else fields

    @property
    def form(self) -> OrderForm:
        """The form of the service's type. One that the contract doesn't have can't be ordered here."""
        if not self.offer:
            raise NotApplicable("the service was not found")
        form = TYPES.get(self.offer.get("type", ""))
        if form is None:
            raise NotApplicable(f"the contract has no type {self.offer.get('type')}")
        return form

    @property
    def own_fields(self) -> dict[str, str]:
        """Fields of the type, with as many lines as the smallest order has."""
        lines = {self.form.counted.name: "\n".join(self.lines(int(self.offer["min"])))} if self.form.counted else {}
        return {rule.name: rule.example for rule in self.form.fields if rule.is_required} | lines

    @staticmethod
    def lines(number: int) -> list[str]:
        return [f"line {each}" for each in range(1, number + 1)]

    def with_quantity(self, limit: str, more: int) -> dict[str, str]:
        """The call for a quantity beyond this limit."""
        form = self.form
        quantity = int(self.offer[limit]) + more
        if form.counted:
            return self.order_fields | {form.counted.name: "\n".join(self.lines(quantity))}
        if not form.takes_quantity:
            raise NotApplicable("a package has no quantity")
        return self.order_fields | {"quantity": str(quantity)}

    @property
    def due(self) -> Decimal:
        """What the smallest order costs."""
        rate = Decimal(self.offer["rate"])
        return rate if self.form.is_package else rate * int(self.offer["min"]) / 1000

    def placed(self) -> str:
        if not self.order:
            raise NotApplicable("no order was placed")
        return self.order

    def refuses(self, action: str, fields: dict[str, str]) -> str:
        """The error of a call that must be refused and must not move money."""
        before = self.server.balance()
        answer = self.server.call(action, fields)
        after = self.server.balance()
        if after != before:
            raise NotConforming(f"the balance moved from {before} to {after}: {shown(answer)}")
        expect_error(answer)
        return str(answer["error"])


def services(run: Run) -> str:
    answer = run.server.call("services")
    if not isinstance(answer, list) or not answer:
        raise NotConforming(f"no list of services: {shown(answer)}")
    for each in answer:
        fields_of(each, **SERVICE_FIELDS)
        decimal_of(each["rate"], name="rate")
        if not (each["min"].isdigit() and each["max"].isdigit() and int(each["min"]) <= int(each["max"])):
            raise NotConforming(f"min and max are no limits: {shown(each)}")
    if len({each["service"] for each in answer}) != len(answer):
        raise NotConforming("two services have the same number")
    found = [each for each in answer if str(each["service"]) == run.service]
    if not found:
        raise NotConforming(f"the service {run.service} is not listed")
    run.offer = found[0]
    return f"{len(answer)} services"


def balance(run: Run) -> str:
    return str(run.server.balance())


def wrong_key(run: Run) -> str:
    answer = run.server.call("balance", key="wrong")
    expect_error(answer)
    return str(answer["error"])


def unknown_action(run: Run) -> str:
    return run.refuses("make_coffee", {})


def add_without_link(run: Run) -> str:
    return run.refuses("add", {name: value for name, value in run.order_fields.items() if name != "link"})


def add_of_unknown_service(run: Run) -> str:
    return run.refuses("add", run.order_fields | {"service": UNKNOWN_ID})


def add_below_the_minimum(run: Run) -> str:
    return run.refuses("add", run.with_quantity("min", -1))


def add_above_the_maximum(run: Run) -> str:
    return run.refuses("add", run.with_quantity("max", 1))


def add_of_a_fraction(run: Run) -> str:
    if not run.form.takes_quantity:
        raise NotApplicable("the type takes no quantity")
    return run.refuses("add", run.order_fields | {"quantity": f"{run.offer['min']}.5"})


def add_with_a_field_it_does_not_take(run: Run) -> str:
    name = "hashtag" if "comments" in run.form.names else "comments"
    return run.refuses("add", run.order_fields | {name: "First"})


def add_with_a_quantity_that_the_type_does_not_take(run: Run) -> str:
    if run.form.takes_quantity:
        raise NotApplicable("the type takes a quantity")
    return run.refuses("add", run.order_fields | {"quantity": "7"})


def add_without_each_field_of_its_type(run: Run) -> str:
    fields, names = run.order_fields, list(run.own_fields)
    if not names:
        raise NotApplicable("the type has no fields of its own")
    for name in names:
        run.refuses("add", {each: value for each, value in fields.items() if each != name})
    return ", ".join(names)


def add(run: Run) -> str:
    before = run.server.balance()
    answer = fields_of(run.server.call("add", run.order_fields), order=int)
    run.order = str(answer["order"])
    paid = before - run.server.balance()
    if paid != run.due:
        raise NotConforming(f"{paid} was charged instead of {run.due}")
    return f"order {run.order}, {paid} charged"


def status(run: Run) -> str:
    answer = _status_of(run.server.call("status", {"order": run.placed()}))
    return f"{answer['status']}, {answer['remains']} remain"


def status_of_an_unknown_order(run: Run) -> str:
    return run.refuses("status", {"order": UNKNOWN_ID})


def status_of_many_orders(run: Run) -> str:
    known = run.placed()
    for pairs in (
        [("orders", f"{known},{UNKNOWN_ID}")],
        [("orders[0]", known), ("orders[1]", UNKNOWN_ID)],
        [("orders", f"[{known}, {UNKNOWN_ID}]")],
    ):
        answer = run.server.call_with([("key", run.server.key), ("action", "status"), *pairs])
        if not isinstance(answer, dict) or set(answer) != {known, UNKNOWN_ID}:
            raise NotConforming(f"not one answer for each order of {pairs}: {shown(answer)}")
        _status_of(answer[known])
        expect_error(answer[UNKNOWN_ID])
    return "by commas, by fields and as JSON"


def same_request_twice(run: Run) -> str:
    request = run.order_fields | {"request_id": f"conformance-{run.placed()}"}
    first = run.server.call("add", request)
    if isinstance(first, dict) and "error" in first:
        raise NotApplicable(f"request_id is refused: {shown(first)}")
    before = run.server.balance()
    again = run.server.call("add", request)
    if again != first:
        raise NotConforming(f"first {shown(first)}, then {shown(again)}")
    if run.server.balance() != before:
        raise NotConforming("the second call was charged")
    return f"order {first['order']}, both times"


def refill_of_an_order_that_runs(run: Run) -> str:
    return run.refuses("refill", {"order": run.placed()})


def refill_status_of_an_unknown_refill(run: Run) -> str:
    return run.refuses("refill_status", {"refill": UNKNOWN_ID})


def cancel(run: Run) -> str:
    answer = run.server.call("cancel", {"orders": f"{run.placed()},{UNKNOWN_ID}"})
    if not isinstance(answer, list) or len(answer) != 2:
        raise NotConforming(f"not one answer for each order: {shown(answer)}")
    results = {str(fields_of(each, order=int)["order"]): each.get("cancel") for each in answer}
    if set(results) != {run.order, UNKNOWN_ID}:
        raise NotConforming(f"other orders than were asked for: {shown(answer)}")
    expect_error(results[UNKNOWN_ID])
    if run.offer["cancel"] and results[run.order] != 1:
        raise NotConforming(f"the service offers cancel, and refused: {shown(answer)}")
    if not run.offer["cancel"]:
        expect_error(results[run.order])
    return "accepted" if results[run.order] == 1 else "refused, as the service says"


def charge_after_cancel(run: Run) -> str:
    found = _status_of(run.server.call("status", {"order": run.placed()}))
    charge = decimal_of(found["charge"], name="charge")
    if found["status"] == "Canceled" and charge != 0:
        raise NotConforming(f"Canceled, and {charge} is still charged")
    return f"{found['status']}, {charge} charged"


def _status_of(answer: Any) -> dict[str, Any]:
    found = fields_of(answer, charge=str, start_count=str, status=str, remains=str, currency=str)
    decimal_of(found["charge"], name="charge")
    if found["status"] not in STATUSES:
        raise NotConforming(f"the status is none of {', '.join(STATUSES)}: {shown(answer)}")
    if not (found["remains"].isdigit() and found["start_count"].isdigit()):
        raise NotConforming(f"remains and start_count are no whole numbers: {shown(answer)}")
    return found


# In this order: later checks use the order that `add` placed.
CHECKS: tuple[Callable[[Run], str], ...] = (
    services,
    balance,
    wrong_key,
    unknown_action,
    add_without_link,
    add_of_unknown_service,
    add_below_the_minimum,
    add_above_the_maximum,
    add_of_a_fraction,
    add_with_a_field_it_does_not_take,
    add_with_a_quantity_that_the_type_does_not_take,
    add_without_each_field_of_its_type,
    add,
    status,
    status_of_an_unknown_order,
    status_of_many_orders,
    same_request_twice,
    refill_of_an_order_that_runs,
    refill_status_of_an_unknown_refill,
    cancel,
    charge_after_cancel,
)
