"""Webhook deliveries: in order, one at a time, with backoff, for 72 hours, and sent again on request."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import DeliveryState, Webhook, WebhookDelivery
from panel.services.api import webhook_deliveries, webhook_endpoints
from tests.services.test_webhooks import an_endpoint, event_bodies, states
from tests.support.factories import NOON, a_customer

pytestmark = pytest.mark.both_engines


def a_queue(app: Flask, *, count: int = 1, now: datetime = NOON) -> int:
    """Add an endpoint with this many test events in its queue; returns its id."""
    customer = a_customer()
    endpoint_id = an_endpoint(app, customer).endpoint.id
    for _ in range(count):
        with transaction():
            webhook_endpoints.send_test(endpoint_id, user_id=customer.id, now=now)
    return endpoint_id


def attempt(endpoint_id: int, *, status: int | None, now: datetime) -> str | None:
    """Take the first of the queue and settle it; its id, or None when none is due."""
    with transaction():
        parcel = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=30, now=now)
    if parcel is None:
        return None
    with transaction():
        webhook_deliveries.record_outcome(parcel, status=status, answer=f"{status}", now=now)
    return parcel.public_id


def test_refused_delivery_is_retried_with_growing_pauses_for_72_hours(app: Flask) -> None:
    endpoint_id = a_queue(app)
    tries: list[timedelta] = []
    now, public_ids = NOON, set()

    while states(endpoint_id) == [DeliveryState.WAITING] and len(tries) < 100:
        public_ids.add(attempt(endpoint_id, status=503, now=now))
        tries.append(now - NOON)
        assert webhook_deliveries.endpoints_with_work(now=now) == []
        now = webhook_deliveries.recent_deliveries(endpoint_id, count=1)[0].due_at or now

    waits = [(after - before).total_seconds() for before, after in pairwise(tries)]
    assert waits[:6] == [10, 60, 300, 1_800, 7_200, 21_600] and set(waits[6:]) == {21_600}
    assert timedelta(hours=72) <= tries[-1] < timedelta(hours=78)
    assert len(public_ids) == 1
    assert states(endpoint_id) == [DeliveryState.GIVEN_UP]
    (line,) = webhook_deliveries.recent_deliveries(endpoint_id, count=100)
    assert (line.tries, line.answer, line.due_at) == (len(tries), "503", None)


@pytest.mark.parametrize("status", [None, 199, 301, 302, 400, 404, 410, 429, 500])
def test_every_answer_but_2xx_is_tried_again(app: Flask, status: int | None) -> None:
    endpoint_id = a_queue(app)

    attempt(endpoint_id, status=status, now=NOON)

    assert states(endpoint_id) == [DeliveryState.WAITING]
    assert webhook_deliveries.endpoints_with_work(now=NOON + timedelta(seconds=9)) == []
    assert webhook_deliveries.endpoints_with_work(now=NOON + timedelta(seconds=10)) == [endpoint_id]


def test_a_queue_is_sent_in_the_order_in_which_things_happened(app: Flask) -> None:
    endpoint_id = a_queue(app, count=3)
    wanted = [each["id"] for each in event_bodies()]

    sent = [attempt(endpoint_id, status=500, now=NOON), attempt(endpoint_id, status=204, now=NOON)]
    later = NOON + timedelta(seconds=10)
    sent += [attempt(endpoint_id, status=200, now=later) for _ in range(4)]

    assert sent == [wanted[0], None, *wanted, None]


def test_one_worker_at_a_time_sends_the_first_of_a_queue(app: Flask) -> None:
    endpoint_id = a_queue(app, count=2)

    with transaction():
        first = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=30, now=NOON)
    with transaction():
        second = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=30, now=NOON + timedelta(seconds=29))
    with transaction():
        again = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=30, now=NOON + timedelta(seconds=30))

    assert first is not None and second is None and again is not None
    assert (first.public_id, first.body) == (again.public_id, again.body)


def test_late_worker_does_not_undo_a_delivery_of_another(app: Flask) -> None:
    endpoint_id = a_queue(app)
    with transaction():
        slow = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=30, now=NOON)
    assert slow is not None
    attempt(endpoint_id, status=200, now=NOON + timedelta(minutes=1))

    with transaction():
        webhook_deliveries.record_outcome(slow, status=None, answer="No answer.", now=NOON + timedelta(minutes=2))

    assert states(endpoint_id) == [DeliveryState.DELIVERED]


def test_after_72_hours_of_silence_what_waited_behind_is_given_up_too(app: Flask) -> None:
    endpoint_id = a_queue(app, count=3)
    fresh = NOON + timedelta(hours=71)
    with transaction():
        owner = webhook_endpoints.find(endpoint_id, user_id=_owner(endpoint_id)).user_id
        webhook_endpoints.send_test(endpoint_id, user_id=owner, now=fresh)

    attempt(endpoint_id, status=None, now=NOON + timedelta(hours=73))

    assert states(endpoint_id) == [*[DeliveryState.GIVEN_UP] * 3, DeliveryState.WAITING]
    assert [line.answer for line in webhook_deliveries.recent_deliveries(endpoint_id, count=3)][1:] == [
        webhook_deliveries.NEVER_SENT
    ] * 2
    assert webhook_deliveries.endpoints_with_work(now=NOON + timedelta(hours=73, seconds=9)) == []
    assert webhook_deliveries.endpoints_with_work(now=NOON + timedelta(hours=73, seconds=10)) == [endpoint_id]


def _owner(endpoint_id: int) -> int:
    return (
        db.session.scalars(
            select(Webhook.user_id).join(WebhookDelivery, WebhookDelivery.webhook_id == Webhook.id)
        ).first()
        or 0
    )


def test_abandoned_delivery_can_be_sent_again(app: Flask) -> None:
    endpoint_id = a_queue(app)
    late = NOON + timedelta(hours=73)
    attempt(endpoint_id, status=500, now=late)
    (line,) = webhook_deliveries.recent_deliveries(endpoint_id, count=1)

    with transaction():
        webhook_endpoints.send_again(line.id, endpoint_id=endpoint_id, user_id=_owner(endpoint_id), now=late)
    sent = attempt(endpoint_id, status=200, now=late)

    assert sent == event_bodies()[0]["id"]
    assert states(endpoint_id) == [DeliveryState.DELIVERED]


def test_two_secrets_sign_for_24_hours_after_a_rotation(app: Flask) -> None:
    endpoint_id = a_queue(app, count=3)
    owner = _owner(endpoint_id)
    with transaction():
        fingerprint = webhook_endpoints.secret_fingerprint(webhook_endpoints.find(endpoint_id, user_id=owner))
        webhook_endpoints.rotate(
            endpoint_id, user_id=owner, fingerprint=fingerprint, settings=app.config["PANEL"], now=NOON
        )

    counts: Sequence[int] = [
        len(_taken(endpoint_id, now=now).encrypted_secrets)
        for now in (NOON, NOON + timedelta(hours=23, minutes=59), NOON + timedelta(hours=24))
    ]

    assert counts == [2, 2, 1]


def _taken(endpoint_id: int, *, now: datetime) -> webhook_deliveries.Parcel:
    with transaction():
        parcel = webhook_deliveries.lease_delivery(endpoint_id, lease_seconds=1, now=now)
    assert parcel is not None
    return parcel
