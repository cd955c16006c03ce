"""Webhook delivery queue, one per endpoint, in the order of events.

Only the head of a queue is sent; the rest waits. A webhook is retried until it is accepted or 72 hours old: delivery is
at least once, always with the same id and body.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from panel.db import db, execute_write, lock_rows, table_of
from panel.domain.errors import NotFound
from panel.models import DeliveryState, Order, Webhook, WebhookDelivery, WebhookEndpoint

DELIVERIES = table_of(WebhookDelivery)
WEBHOOKS = table_of(Webhook)
ORDERS = table_of(Order)
ENDPOINTS = table_of(WebhookEndpoint)

# Response timeout of an endpoint.
TIMEOUT_SECONDS = 10
# How many of an endpoint's newest deliveries are counted.
COUNTED = 1_000
KEPT_FOR = timedelta(hours=72)
# Back-off after the first failure, the second, and so on; the last value repeats.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800, 7_200, 21_600))
TAKEN = range(200, 300)
NEVER_SENT = "Not sent: what came before it was not taken for 72 hours."


@dataclass(frozen=True)
class Parcel:
    """A leased delivery with everything needed to send it."""

    delivery_id: int
    endpoint_id: int
    public_id: str
    url: str
    body: str
    encrypted_secrets: tuple[str, ...]
    lease_until: datetime


@dataclass(frozen=True)
class DeliveryRow:
    """A row of an endpoint's delivery log."""

    id: int
    kind: str
    order_id: int | None
    number: int | None
    state: str
    tries: int
    answer: str
    at: datetime
    tried_at: datetime | None
    due_at: datetime | None
    is_of_test_order: bool

    @property
    def state_label(self) -> str:
        return "Failed" if self.state == DeliveryState.GIVEN_UP else self.state.capitalize()


def sign(body: str, *, secrets: Sequence[str], timestamp: int) -> str:
    """Value of the `Webhook-Signature` header: one signature per secret, newest first, separated by spaces."""
    signed = f"{timestamp}.{body}".encode()
    return " ".join(f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets)


def endpoints_with_work(*, now: datetime) -> list[int]:
    """Endpoints with a due delivery."""
    first_due = (
        select(DELIVERIES.c.due_at)
        .where(DELIVERIES.c.endpoint_id == ENDPOINTS.c.id, DELIVERIES.c.due_at.is_not(None))
        .order_by(DELIVERIES.c.webhook_id)
        .limit(1)
        .scalar_subquery()
    )
    found = select(ENDPOINTS.c.id).where(ENDPOINTS.c.removed_at.is_(None), first_due <= now).order_by(first_due)
    return list(db.session.scalars(found))


def lease_delivery(endpoint_id: int, *, lease_seconds: float, now: datetime) -> Parcel | None:
    """Lease the head of the queue if it is due, so that no other worker sends it; None if it isn't due."""
    first = db.session.scalar(
        lock_rows(
            select(WebhookDelivery)
            .where(WebhookDelivery.endpoint_id == endpoint_id, WebhookDelivery.due_at.is_not(None))
            .order_by(WebhookDelivery.webhook_id)
            .limit(1)
        )
    )
    if first is None or first.due_at is None or first.due_at > now:
        return None
    endpoint = db.session.get_one(WebhookEndpoint, endpoint_id)
    if endpoint.removed_at is not None:
        return None
    webhook = db.session.get_one(Webhook, first.webhook_id)
    first.due_at = now + timedelta(seconds=lease_seconds)
    first.tries += 1
    first.tried_at = now
    signs_still = endpoint.old_secret_until is not None and now < endpoint.old_secret_until
    return Parcel(
        delivery_id=first.id,
        endpoint_id=endpoint_id,
        public_id=webhook.public_id,
        url=endpoint.url,
        body=webhook.body,
        encrypted_secrets=(endpoint.encrypted_secret, *((endpoint.encrypted_old_secret,) if signs_still else ())),
        lease_until=first.due_at,
    )


def record_outcome(parcel: Parcel, *, status: int | None, answer: str, now: datetime) -> bool:
    """Record the outcome of an attempt; `status` is None without a response. Returns whether it was accepted."""
    delivery = db.session.scalars(
        lock_rows(select(WebhookDelivery).where(WebhookDelivery.id == parcel.delivery_id))
    ).one()
    is_taken = status in TAKEN
    if delivery.state != DeliveryState.WAITING:
        return is_taken
    delivery.answer = answer
    if is_taken:
        delivery.state, delivery.due_at, delivery.delivered_at = DeliveryState.DELIVERED, None, now
    elif delivery.due_at == parcel.lease_until:
        delivery.due_at = now + WAITS[min(delivery.tries, len(WAITS)) - 1]
        db.session.flush()
        _give_up(parcel.endpoint_id, tried=delivery, now=now)
    db.session.flush()
    return is_taken


def _give_up(endpoint_id: int, *, tried: WebhookDelivery, now: datetime) -> None:
    """Give up deliveries that are too old; the next one waits as long as the failed one would have."""
    old = select(WEBHOOKS.c.id).where(WEBHOOKS.c.id == DELIVERIES.c.webhook_id, WEBHOOKS.c.at <= now - KEPT_FOR)
    waiting = (DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.due_at.is_not(None))
    ended = update(DELIVERIES).where(*waiting, old.exists()).values(state=DeliveryState.GIVEN_UP, due_at=None)
    if not execute_write(ended):
        return
    db.session.execute(
        update(DELIVERIES)
        .where(DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.state == DeliveryState.GIVEN_UP)
        .where(DELIVERIES.c.tries == 0, DELIVERIES.c.answer == "")
        .values(answer=NEVER_SENT)
    )
    head = select(func.min(DELIVERIES.c.webhook_id)).where(*waiting).scalar_subquery()
    following = update(DELIVERIES).where(DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.webhook_id == head)
    db.session.execute(following.values(due_at=tried.due_at))
    db.session.refresh(tried)


def send_again(delivery_id: int, *, endpoint_id: int, now: datetime) -> None:
    """Requeue a delivery at its original position, and resume the queue now. Raises NotFound."""
    delivery = db.session.scalar(
        lock_rows(
            select(WebhookDelivery).where(WebhookDelivery.id == delivery_id, WebhookDelivery.endpoint_id == endpoint_id)
        )
    )
    if delivery is None:
        raise NotFound("There is no such delivery.")
    if delivery.state != DeliveryState.WAITING:
        delivery.state, delivery.tries, delivery.delivered_at = DeliveryState.WAITING, 0, None
        delivery.due_at = now
        db.session.flush()
    resume_queue(endpoint_id, now=now)


def resume_queue(endpoint_id: int, *, now: datetime) -> None:
    """Make the head of the queue due now."""
    waiting = (DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.due_at > now)
    db.session.execute(update(DELIVERIES).where(*waiting).values(due_at=now))


def recent_deliveries(endpoint_id: int, *, count: int) -> list[DeliveryRow]:
    """Latest deliveries of an endpoint, newest first."""
    rows = db.session.execute(
        select(
            DELIVERIES.c.id,
            WEBHOOKS.c.kind,
            WEBHOOKS.c.order_id,
            WEBHOOKS.c.number,
            DELIVERIES.c.state,
            DELIVERIES.c.tries,
            DELIVERIES.c.answer,
            WEBHOOKS.c.at,
            DELIVERIES.c.tried_at,
            DELIVERIES.c.due_at,
            # Orders of a test key are those of another customer, who exists for them alone.
            (func.coalesce(ORDERS.c.customer_id, WEBHOOKS.c.user_id) != WEBHOOKS.c.user_id).label("is_of_test_order"),
        )
        .join(WEBHOOKS, WEBHOOKS.c.id == DELIVERIES.c.webhook_id)
        .join(ORDERS, ORDERS.c.id == WEBHOOKS.c.order_id, isouter=True)
        .where(DELIVERIES.c.endpoint_id == endpoint_id)
        .order_by(DELIVERIES.c.webhook_id.desc())
        .limit(count)
    )
    return [DeliveryRow(**row) for row in rows.mappings()]


def counts(endpoint_ids: Sequence[int]) -> dict[int, dict[DeliveryState, int]]:
    """Number of deliveries by state, among the newest COUNTED ones of each of these endpoints."""
    found: dict[int, dict[DeliveryState, int]] = {each: dict.fromkeys(DeliveryState, 0) for each in endpoint_ids}
    for endpoint_id in endpoint_ids:
        of_endpoint = select(DELIVERIES.c.state).where(DELIVERIES.c.endpoint_id == endpoint_id)
        newest = of_endpoint.order_by(DELIVERIES.c.webhook_id.desc()).limit(COUNTED).subquery()
        rows = db.session.execute(select(newest.c.state, func.count()).group_by(newest.c.state))
        found[endpoint_id] |= {DeliveryState(state): number for state, number in rows}
    return found
