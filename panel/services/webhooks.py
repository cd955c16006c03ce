"""Webhooks are made here, in the transaction in which the thing they tell happened, or not at all.

The body is fixed when it is made. Those about an order are numbered 1, 2, 3 without a gap, which holds because
whoever makes one holds the customer's account. A move of a customer without a receiver costs nothing here.
"""

import json
import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import current_app
from sqlalchemy import ColumnElement, Row, and_, bindparam, func, insert, select

from panel.db import db, table_of
from panel.domain import money
from panel.domain.refill import RefillState
from panel.domain.request_id import named_by_reseller
from panel.domain.status import Status
from panel.models import Account, DeliveryState, Order, User, Webhook, WebhookDelivery, WebhookEndpoint

RECEIVERS = table_of(WebhookEndpoint)
WEBHOOKS = table_of(Webhook)
DELIVERIES = table_of(WebhookDelivery)
ORDERS = table_of(Order)
ACCOUNTS = table_of(Account)
USERS = table_of(User)

STATUS_CHANGED = "order.status_changed"
REFUNDED = "order.refunded"
REFILL_CHANGED = "refill.status_changed"
BALANCE_LOW = "balance.low"
TEST = "test"


@dataclass(frozen=True, slots=True)
class Moved:
    """An order that has just got another status, and what of its charge went back with that."""

    order_id: int
    customer_id: int
    returned_nanos: int


@dataclass(frozen=True, slots=True)
class _News:
    """One webhook to be made: what it tells, and which receivers are told."""

    kind: str
    user_id: int
    receiver_ids: tuple[int, ...]
    told: Mapping[str, Any]
    order_id: int | None = None


# Those of an account whose email was never confirmed, as older versions allowed, are told nothing until it is.
_IS_TOLD = and_(
    RECEIVERS.c.removed_at.is_(None),
    select(USERS.c.id).where(USERS.c.id == RECEIVERS.c.user_id, USERS.c.email_confirmed_at.is_not(None)).exists(),
)
_WATCHING = select(RECEIVERS.c.user_id, RECEIVERS.c.id).where(
    RECEIVERS.c.user_id.in_(bindparam("user_ids", expanding=True)), _IS_TOLD
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
    """Whether this customer has a receiver: for reading together with what may be told."""
    return select(RECEIVERS.c.id).where(RECEIVERS.c.user_id == user_id, RECEIVERS.c.removed_at.is_(None)).exists()


def queue_order_events(moved: Sequence[Moved], *, now: datetime) -> None:
    """Tell of orders that were moved, and of what came back, as the rows now stand."""
    watching = _watching({move.customer_id for move in moved})
    if not watching:
        return
    moved = [move for move in moved if move.customer_id in watching]
    orders = _orders([move.order_id for move in moved])
    news = []
    for move in moved:
        told: dict[str, Any] = {"order": orders[move.order_id]}
        to = watching[move.customer_id]
        news.append(_News(STATUS_CHANGED, move.customer_id, to, told, move.order_id))
        if move.returned_nanos:
            told = {**told, "returned": money.plain(move.returned_nanos)}
            news.append(_News(REFUNDED, move.customer_id, to, told, move.order_id))
    _make(news, now=now)


def queue_refill_event(refill_id: int, state: RefillState, *, order_id: int, customer_id: int, now: datetime) -> None:
    """Tell of a refill that has another state. The customer's account must be held."""
    watching = _watching([customer_id])
    if watching:
        told = {"order": _orders([order_id])[order_id], "refill": {"id": refill_id, "status": state.api_word}}
        _make([_News(REFILL_CHANGED, customer_id, watching[customer_id], told, order_id)], now=now)


_FALLEN = (
    select(RECEIVERS.c.user_id, RECEIVERS.c.id, RECEIVERS.c.balance_low_nanos, ACCOUNTS.c.balance_nanos)
    .join(ACCOUNTS, ACCOUNTS.c.user_id == RECEIVERS.c.user_id)
    .where(
        RECEIVERS.c.user_id.in_(bindparam("user_ids", expanding=True)),
        _IS_TOLD,
        ACCOUNTS.c.balance_nanos < RECEIVERS.c.balance_low_nanos,
    )
    .order_by(RECEIVERS.c.id)
)


def queue_low_balance_events(spent_nanos: Mapping[int, int], *, now: datetime) -> None:
    """Tell each receiver whose bound a balance has just fallen below. The accounts must be held and written."""
    crossed: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in db.session.execute(_FALLEN, {"user_ids": list(spent_nanos)}):
        if row.balance_nanos + spent_nanos[row.user_id] >= row.balance_low_nanos:
            crossed[row.user_id, row.balance_low_nanos, row.balance_nanos].append(row.id)
    news = [
        _News(
            BALANCE_LOW,
            user_id,
            tuple(receiver_ids),
            {"balance": money.plain(balance), "below": money.plain(bound), "currency": _currency()},
        )
        for (user_id, bound, balance), receiver_ids in crossed.items()
    ]
    _make(news, now=now)


def queue_test_event(receiver_id: int, *, user_id: int, now: datetime) -> None:
    """Send one receiver something that means nothing."""
    _make([_News(TEST, user_id, (receiver_id,), {"text": "This is a test. Nothing happened."})], now=now)


def _watching(user_ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Which of these customers have receivers, and which."""
    found: dict[int, tuple[int, ...]] = {}
    for user_id, receiver_id in db.session.execute(_WATCHING, {"user_ids": list(user_ids)}):
        found[user_id] = (*found.get(user_id, ()), receiver_id)
    return found


def _orders(order_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """The orders in the words and strings of the API's `status`."""
    return {row.id: _order(row) for row in db.session.execute(_ORDERS, {"ids": list(order_ids)})}


def _order(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    told = {
        "id": row.id,
        "status": Status(row.status).api_word,
        "panel_status": Status(row.status).label,
        "remains": str(row.remains),
        "start_count": str(row.start_count or 0),
        "charge": money.plain(row.charge_nanos - row.returned_nanos),
        "currency": _currency(),
    }
    named = named_by_reseller(row.request_id)
    return told if named is None else {**told, "request_id": named}


def _currency() -> str:
    return str(current_app.config["PANEL"].currency)


def _make(news: Sequence[_News], *, now: datetime) -> None:
    if not news:
        return
    order_ids = {each.order_id for each in news if each.order_id is not None}
    last: dict[int | None, int] = {}
    if order_ids:
        last.update((order_id, number) for order_id, number in db.session.execute(_NUMBERS, {"ids": list(order_ids)}))
    rows = []
    for each in news:
        number = None
        if each.order_id is not None:
            number = last[each.order_id] = last.get(each.order_id, 0) + 1
        rows.append(_row(each, number=number, now=now))
    webhook_ids = db.session.execute(_MAKE, rows).scalars().all()
    deliveries = [
        {
            "receiver_id": receiver_id,
            "webhook_id": webhook_id,
            "state": DeliveryState.WAITING,
            "tries": 0,
            "due_at": now,
            "answer": "",
        }
        for each, webhook_id in zip(news, webhook_ids, strict=True)
        for receiver_id in each.receiver_ids
    ]
    db.session.execute(_QUEUE, deliveries)


def _row(news: _News, *, number: int | None, now: datetime) -> dict[str, Any]:
    public_id = f"evt_{secrets.token_hex(12)}"
    at = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {"id": public_id, "kind": news.kind, "at": at, **news.told}
    if number is not None:
        told["number"] = number
    return {
        "public_id": public_id,
        "user_id": news.user_id,
        "kind": news.kind,
        "order_id": news.order_id,
        "number": number,
        "body": json.dumps(told, separators=(",", ":"), sort_keys=True),
        "at": now,
    }
