"""Orders for the API: statuses of many orders in one read, and idempotent placing.

The reads are compiled statements that return plain tuples: resellers poll a hundred orders at a time.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Select, bindparam, func, literal, literal_column, select

from panel.db import db, table_of
from panel.domain import links, money
from panel.domain.errors import BadInput
from panel.domain.formatting import iso
from panel.domain.forms.order_form import OrderForm
from panel.domain.forms.with_form import WithForm
from panel.domain.refill import RefillState
from panel.domain.request_id import API_NAMED, API_UNNAMED
from panel.domain.status import Status
from panel.models import RETIREMENT, Order, Provider, Refill, ScheduledTerms, Terms, Tool
from panel.services import delivery_times
from panel.services.api import repeated_orders, spend_caps, test_customers
from panel.services.api.keys import Holder
from panel.services.catalogue import category_order, simulated_tools
from panel.services.catalogue.customer_prices import PriceList
from panel.services.catalogue.tools import ToolOffer
from panel.services.orders import placing
from panel.services.orders.placing import Placing

ORDERS = table_of(Order)
REFILLS = table_of(Refill)

MAX_REQUEST_ID_LENGTH = 80
_REQUEST_ID = re.compile(rf"[A-Za-z0-9_.:-]{{1,{MAX_REQUEST_ID_LENGTH}}}", re.ASCII)

_WORDS = {status.value: status.api_word for status in Status}


@dataclass(frozen=True, slots=True)
class Service(WithForm):
    """A tool as the API lists it."""

    tool_id: int
    name: str
    category: str
    price_micros_per_thousand: int
    minimum: int
    maximum: int
    refill_days: int | None
    can_cancel: bool
    summary: str
    order_type: str
    quantity_rule: str
    own_fields: str
    # From when it takes no new orders, as announced.
    retires_at: datetime | None
    # Median seconds from placing to Completed as digits; empty while too few orders were measured.
    average_time: str = ""

    def entry(self) -> dict[str, Any]:
        """The tool as `services` lists it, without its measured time."""
        retires = {} if self.retires_at is None else {"retires_at": iso(self.retires_at)}
        return {
            "service": self.tool_id,
            "name": self.name,
            "type": self.order_type,
            "category": self.category,
            "rate": self.rate,
            "min": str(self.minimum),
            "max": str(self.maximum),
            "refill": self.refill_days is not None,
            "cancel": self.can_cancel,
            "dripfeed": self.form.has_drip_feed,
            "desc": self.summary,
            **retires,
        }


@dataclass(frozen=True, slots=True)
class Placed:
    """A placed order, with a possible duplicate placed shortly before."""

    order_id: int
    possible_duplicate: int | None


_MINE = ORDERS.c.customer_id == bindparam("customer_id")


def _among(column: Any) -> dict[str, Any]:
    """`column` is one of the ids given as one value, so that the statement is the same for any number of them."""
    each = func.json_each(bindparam("ids")).table_valued("value")
    return {
        "sqlite": column.in_(select(each.c.value)),
        "postgresql": column == func.any(bindparam("ids", type_=ARRAY(BigInteger))),
    }


_STATUS_COLUMNS = (
    ORDERS.c.id,
    ORDERS.c.charge_nanos - ORDERS.c.returned_nanos,
    ORDERS.c.start_count,
    ORDERS.c.status,
    ORDERS.c.remains,
)
# By engine; each takes `customer_id` and `ids`, as `ids_value` gives them.
# The sum keeps SQLite from an index over customers: the orders are found by their numbers in a quarter less time.
_MINE_BY_NUMBER = ORDERS.c.customer_id + literal_column("0") == bindparam("customer_id")
STATUSES = {
    engine: select(*_STATUS_COLUMNS).where(_MINE_BY_NUMBER, among) for engine, among in _among(ORDERS.c.id).items()
}
_REFILLS = {
    engine: select(REFILLS.c.id, REFILLS.c.state).join(ORDERS, ORDERS.c.id == REFILLS.c.order_id).where(_MINE, among)
    for engine, among in _among(REFILLS.c.id).items()
}
_RETIRES_AT = (
    select(ScheduledTerms.effective_at)
    .where(
        ScheduledTerms.tool_id == Tool.id,
        ScheduledTerms.ended_at.is_(None),
        ScheduledTerms.changes == literal(RETIREMENT, literal_execute=True),
    )
    .correlate(Tool)
    .scalar_subquery()
)
_SERVICES = (
    select(
        Tool.id,
        Tool.name,
        Tool.category,
        Terms.price_micros_per_thousand,
        Terms.minimum,
        Terms.maximum,
        Terms.refill_days,
        Terms.can_cancel,
        Tool.summary,
        Terms.order_type,
        Terms.quantity_rule,
        Terms.own_fields,
        _RETIRES_AT,
        Terms.link_pattern,
        Terms.link_example,
        Provider.kind.label("provider_kind"),
        Provider.name.label("provider_name"),
    )
    .join(Terms, Terms.id == Tool.terms_id)
    .join(Provider, Provider.id == Tool.provider_id)
    .where(Tool.is_hidden.is_(False))
    .order_by(Tool.id)
)


def services(*, prices: PriceList, now: datetime) -> list[Service]:
    """The tools that can be ordered, by category and number, at the prices of this list, with their measured times.

    Only categories that operators gave a place come first; the others are mixed.
    """
    places = category_order.places()
    listed = sorted(listed_services(), key=lambda each: category_order.rank(each.category, places))
    return [
        replace(
            each,
            price_micros_per_thousand=prices.price(
                each.tool_id, each.price_micros_per_thousand, is_package=each.is_package
            ),
            average_time=_average_time(each.tool_id, now=now),
        )
        for each in listed
    ]


def listed_services() -> list[Service]:
    """The tools that can be ordered, by number, at list prices."""
    rows: Iterable[Any] = db.session.execute(_SERVICES)
    listed = [
        Service(*row[:-4])
        for row in rows
        if not links.stored_fault(row.link_pattern, row.link_example) and simulated_tools.is_sold(row)
    ]
    return [service for service in listed if service.form.is_ready]


def _average_time(tool_id: int, *, now: datetime) -> str:
    measure = delivery_times.time_to_completion(tool_id, now=now)
    return "" if measure is None else str(measure.median_seconds)


def statuses(customer_id: int, *, order_ids: Collection[int], currency: str) -> dict[int, str]:
    """API status of those orders that belong to this customer, as JSON text, in one read."""
    return status_texts(_read(STATUSES, customer_id, order_ids), currency=currency)


def status_texts(rows: Iterable[Sequence[Any]], *, currency: str) -> dict[int, str]:
    """Rows of STATUSES as JSON text by order id. All values are digits and our own words, so nothing needs escaping."""
    end = f'","currency":"{currency}"}}'
    return {
        order_id: f'{{"charge":"{_charge(nanos)}","start_count":"{start_count or 0}","status":"{_WORDS[status]}",'
        f'"remains":"{remains}{end}'
        for order_id, nanos, start_count, status, remains in rows
    }


# Orders of the same price and quantity are many.
_charge = lru_cache(maxsize=10_000)(money.plain)


def refill_words(customer_id: int, *, refill_ids: Collection[int]) -> dict[int, str]:
    """API status of those refills that belong to this customer."""
    rows = _read(_REFILLS, customer_id, refill_ids)
    return {refill_id: RefillState(state).api_word for refill_id, state in rows}


def _read(statements: dict[str, Select[Any]], customer_id: int, ids: Collection[int]) -> Any:
    engine = db.engine.dialect.name
    return db.session.execute(statements[engine], {"customer_id": customer_id, "ids": ids_value(ids, engine=engine)})


def ids_value(ids: Collection[int], *, engine: str) -> str | list[int]:
    """The ids as a single bound value for this engine."""
    return f"[{','.join(map(str, ids))}]" if engine == "sqlite" else list(ids)


def place(
    holder: Holder,
    *,
    offer: ToolOffer,
    link: str,
    quantity: str,
    fields: Mapping[str, str],
    request_id: str | None,
    scenario: str | None = None,
    now: datetime,
) -> Placed:
    """Place an order, or return the existing one with the same request id. `scenario`: how a test order goes.

    Raises what `placing.place_order` raises, BadInput for a request id of another form, and SpendCapReached.
    """
    if request_id is None:
        named = f"{API_UNNAMED}{holder.key_id}:{placing.new_request_id()}"
    elif _REQUEST_ID.fullmatch(request_id):
        named = f"{API_NAMED}{request_id}"
    else:
        raise BadInput("The request id is of no form we take.", field="request_id")
    destination = test_customers.destination(scenario, now=now) if holder.is_test else None
    asked = Placing(offer.slug, link, quantity, named, fields=fields, destination=destination)
    is_bounded = holder.is_test or holder.daily_cap_nanos is not None
    count = partial(_count_order, holder, now=now) if is_bounded else None
    order = placing.place(holder.user_id, asked=asked, before_charge=count, now=now)
    if request_id is not None:
        return Placed(order.id, None)
    return Placed(order.id, repeated_orders.newest(order, key_id=holder.key_id, has_fields=bool(fields)))


def form_of_request(customer_id: int, *, request_id: str) -> OrderForm | None:
    """The form of the order that was placed with this request id: its tool may have another one since."""
    order = placing.find_by_request(customer_id, request_id=f"{API_NAMED}{request_id}")
    return None if order is None else db.session.get_one(Terms, order.terms_id).form


def _count_order(holder: Holder, nanos: int, *, now: datetime) -> None:
    if holder.is_test:
        test_customers.check_open_orders(holder.user_id)
    if holder.daily_cap_nanos is not None:
        spend_caps.spend(holder.key_id, nanos=nanos, now=now)
