"""Webhook events, written to the outbox in the transaction of the change they report.

The body is fixed when the event is created. Events of an order are numbered 1, 2, 3 without a gap, which holds because
the writer has locked the customer's account. For a customer without endpoints nothing is written. Events of test orders
go to the endpoints of the test key's owner, and say `"test": true`.
"""

import json
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, func, insert, select

from panel import app_context
from panel.db import db, table_of
from panel.domain import money
from panel.domain.refill import RefillState
from panel.domain.request_id import named_by_reseller
from panel.domain.status import Status
from panel.models import (
    Account,
    ApiTestCustomer,
    DeliveryState,
    Order,
    User,
    Webhook,
    WebhookDelivery,
    WebhookEndpoint,
)

ENDPOINTS = table_of(WebhookEndpoint)
WEBHOOKS = table_of(Webhook)
DELIVERIES = table_of(WebhookDelivery)
ORDERS = table_of(Order)
ACCOUNTS = table_of(Account)
USERS = table_of(User)
TEST_CUSTOMERS = table_of(ApiTestCustomer)

STATUS_CHANGED = "order.status_changed"
REFUNDED = "order.refunded"
REFILL_CHANGED = "refill.status_changed"
BALANCE_LOW = "balance.low"
TOOL_CHANGED = "tool.changed"
PRICE_CHANGED = "tool.price_changed"
OPERATOR_ALERTS = "operator.alerts"
TEST = "test"


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that has just moved to another status, and the amount refunded with that move."""

    order_id: int
    customer_id: int
    returned_nanos: int


@dataclass(frozen=True, slots=True)
class _Watcher:
    """Recipient of the events of a customer's orders: the customer, or the owner of the test key."""

    user_id: int
    endpoint_ids: tuple[int, ...]
    is_of_tests: bool

    def event(self, kind: str, data: Mapping[str, Any], order_id: int | None = None) -> "_Event":
        marked = {**data, "test": True} if self.is_of_tests else data
        return _Event(kind, self.user_id, self.endpoint_ids, marked, order_id)


@dataclass(frozen=True, slots=True)
class _Event:
    """A webhook event to create, and the endpoints to notify."""

    kind: str
    user_id: int
    endpoint_ids: tuple[int, ...]
    data: Mapping[str, Any]
    order_id: int | None = None


# Older versions allowed endpoints before the email was confirmed; those get nothing until it is.
_IS_NOTIFIED = and_(
    ENDPOINTS.c.removed_at.is_(None),
    select(USERS.c.id).where(USERS.c.id == ENDPOINTS.c.user_id, USERS.c.email_confirmed_at.is_not(None)).exists(),
)


def _owner(user_id: Any) -> ColumnElement[int]:
    """The owner of the test key if this is a test customer, else the customer."""
    owner = select(TEST_CUSTOMERS.c.owner_id).where(TEST_CUSTOMERS.c.user_id == user_id)
    # Explicitly: two levels below the statement, its table would be joined again instead of referred to.
    owner = owner.correlate_except(TEST_CUSTOMERS)
    return func.coalesce(owner.scalar_subquery(), user_id)


# Another name, since the condition on endpoints has a subquery on users.
_WATCHED = USERS.alias("watched")
_WATCHING = (
    select(_WATCHED.c.id.label("watched_id"), ENDPOINTS.c.user_id, ENDPOINTS.c.id)
    .select_from(_WATCHED.join(ENDPOINTS, ENDPOINTS.c.user_id == _owner(_WATCHED.c.id)))
    .where(_WATCHED.c.id.in_(bindparam("user_ids", expanding=True)), _IS_NOTIFIED)
    .order_by(ENDPOINTS.c.id)
)
_ORDERS = select(
    ORDERS.c.id,
    ORDERS.c.status,
    ORDERS.c.remains,
    ORDERS.c.start_count,
    ORDERS.c.charge_nanos,
    ORDERS.c.returned_nanos,
    ORDERS.c.request_id,
).where(ORDERS.c.id.in_(bindparam("ids", expanding=True)))
_NUMBERS = (
    select(WEBHOOKS.c.order_id, func.max(WEBHOOKS.c.number))
    .where(WEBHOOKS.c.order_id.in_(bindparam("ids", expanding=True)))
    .group_by(WEBHOOKS.c.order_id)
)
_MAKE = insert(WEBHOOKS).returning(WEBHOOKS.c.id, sort_by_parameter_order=True)
_QUEUE = insert(DELIVERIES)


def is_watched(user_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether anybody has an endpoint for this customer's orders, as a column for queries that may lead to events."""
    is_theirs = ENDPOINTS.c.user_id == _owner(user_id)
    return select(ENDPOINTS.c.id).where(is_theirs, ENDPOINTS.c.removed_at.is_(None)).exists()


def watches_balance(user_id: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether `queue_low_balance_events` could find an endpoint of this customer, as a column."""
    has_bound = and_(ENDPOINTS.c.removed_at.is_(None), ENDPOINTS.c.balance_low_nanos.is_not(None))
    return select(ENDPOINTS.c.id).where(ENDPOINTS.c.user_id == user_id, has_bound).exists()


def queue_order_events(moved: Sequence[Moved], *, now: datetime) -> None:
    """Queue events about moved orders and their refunds, from the rows as they are now."""
    watching = _watching({move.customer_id for move in moved})
    if not watching:
        return
    moved = [move for move in moved if move.customer_id in watching]
    orders = _orders([move.order_id for move in moved])
    events = []
    for move in moved:
        data: dict[str, Any] = {"order": orders[move.order_id]}
        to = watching[move.customer_id]
        events.append(to.event(STATUS_CHANGED, data, move.order_id))
        if move.returned_nanos:
            data = {**data, "returned": money.plain(move.returned_nanos)}
            events.append(to.event(REFUNDED, data, move.order_id))
    _make(events, now=now)


def queue_refill_event(refill_id: int, state: RefillState, *, order_id: int, customer_id: int, now: datetime) -> None:
    """Queue an event about a refill's new state. The customer's account must be locked."""
    watching = _watching([customer_id])
    if watching:
        data = {"order": _orders([order_id])[order_id], "refill": {"id": refill_id, "status": state.api_word}}
        _make([watching[customer_id].event(REFILL_CHANGED, data, order_id)], now=now)


_FALLEN = (
    select(ENDPOINTS.c.user_id, ENDPOINTS.c.id, ENDPOINTS.c.balance_low_nanos, ACCOUNTS.c.balance_nanos)
    .join(ACCOUNTS, ACCOUNTS.c.user_id == ENDPOINTS.c.user_id)
    .where(
        ENDPOINTS.c.user_id.in_(bindparam("user_ids", expanding=True)),
        _IS_NOTIFIED,
        ACCOUNTS.c.balance_nanos < ENDPOINTS.c.balance_low_nanos,
    )
    .order_by(ENDPOINTS.c.id)
)


def queue_low_balance_events(spent_nanos: Mapping[int, int], *, now: datetime) -> None:
    """Notify endpoints whose threshold a balance has just crossed. The accounts must be locked and already written."""
    crossed: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in db.session.execute(_FALLEN, {"user_ids": list(spent_nanos)}):
        if row.balance_nanos + spent_nanos[row.user_id] >= row.balance_low_nanos:
            crossed[row.user_id, row.balance_low_nanos, row.balance_nanos].append(row.id)
    events = [
        _Event(
            BALANCE_LOW,
            user_id,
            tuple(endpoint_ids),
            {"balance": money.plain(balance), "below": money.plain(bound), "currency": app_context.settings().currency},
        )
        for (user_id, bound, balance), endpoint_ids in crossed.items()
    ]
    _make(events, now=now)


def queue_alert_event(operator_id: int, alerts: Sequence[Mapping[str, Any]], *, now: datetime) -> None:
    """Queue an event about alerts for an operator's own endpoints."""
    to = _watching([operator_id]).get(operator_id)
    if to:
        _make([to.event(OPERATOR_ALERTS, {"alerts": list(alerts)})], now=now)


def endpoints_by_customer() -> dict[int, tuple[int, ...]]:
    """The endpoints that get events, by customer."""
    endpoints: dict[int, list[int]] = defaultdict(list)
    notified = select(ENDPOINTS.c.user_id, ENDPOINTS.c.id).where(_IS_NOTIFIED).order_by(ENDPOINTS.c.id)
    for user_id, endpoint_id in db.session.execute(notified):
        endpoints[user_id].append(endpoint_id)
    return {user_id: tuple(ids) for user_id, ids in endpoints.items()}


def queue_catalogue_event(
    kind: str, tools: Sequence[Mapping[str, Any]], *, to: Mapping[int, tuple[int, ...]], now: datetime
) -> None:
    """Queue an event about these tools for these endpoints by customer."""
    data = {"currency": app_context.settings().currency, "tools": list(tools)}
    _make([_Event(kind, user_id, endpoint_ids, data) for user_id, endpoint_ids in to.items()], now=now)


def queue_test_event(endpoint_id: int, *, user_id: int, now: datetime) -> None:
    """Queue a test event for one endpoint."""
    _make([_Event(TEST, user_id, (endpoint_id,), {"text": "This is a test. Nothing happened."})], now=now)


def _watching(user_ids: Collection[int]) -> dict[int, _Watcher]:
    """The endpoints for the orders of those customers for whom there are any."""
    found: dict[int, _Watcher] = {}
    for watched_id, user_id, endpoint_id in db.session.execute(_WATCHING, {"user_ids": list(user_ids)}):
        before = found[watched_id].endpoint_ids if watched_id in found else ()
        found[watched_id] = _Watcher(user_id, (*before, endpoint_id), is_of_tests=user_id != watched_id)
    return found


def _orders(order_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The orders in the format of the API's `status`."""
    return {row.id: _order(row) for row in db.session.execute(_ORDERS, {"ids": list(order_ids)})}


def _order(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    data = {
        "id": row.id,
        "status": Status(row.status).api_word,
        "panel_status": Status(row.status).label,
        "remains": str(row.remains),
        "start_count": str(row.start_count or 0),
        "charge": money.plain(row.charge_nanos - row.returned_nanos),
        "currency": app_context.settings().currency,
    }
    named = named_by_reseller(row.request_id)
    return data if named is None else {**data, "request_id": named}


def _make(events: Sequence[_Event], *, now: datetime) -> None:
    if not events:
        return
    order_ids = {each.order_id for each in events if each.order_id is not None}
    last: dict[int | None, int] = {}
    if order_ids:
        last.update((order_id, number) for order_id, number in db.session.execute(_NUMBERS, {"ids": list(order_ids)}))
    rows = []
    for each in events:
        number = None
        if each.order_id is not None:
            number = last[each.order_id] = last.get(each.order_id, 0) + 1
        rows.append(_row(each, number=number, now=now))
    webhook_ids = db.session.execute(_MAKE, rows).scalars().all()
    deliveries = [
        {
            "endpoint_id": endpoint_id,
            "webhook_id": webhook_id,
            "state": DeliveryState.WAITING,
            "tries": 0,
            "due_at": now,
            "answer": "",
        }
        for each, webhook_id in zip(events, webhook_ids, strict=True)
        for endpoint_id in each.endpoint_ids
    ]
    db.session.execute(_QUEUE, deliveries)


def _row(event: _Event, *, number: int | None, now: datetime) -> dict[str, Any]:
    public_id = f"evt_{secrets.token_hex(12)}"
    at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = {"id": public_id, "kind": event.kind, "at": at, **event.data}
    if number is not None:
        data["number"] = number
    return {
        "public_id": public_id,
        "user_id": event.user_id,
        "kind": event.kind,
        "order_id": event.order_id,
        "number": number,
        "body": json.dumps(data, separators=(",", ":"), sort_keys=True),
        "at": now,
    }
