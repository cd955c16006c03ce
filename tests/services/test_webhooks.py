"""What receivers are told, made with the change itself; and the queue in which each gets it."""

import json
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from panel.db import db, transaction
from panel.domain.refill import RefillState
from panel.domain.request_id import API_NAMED
from panel.domain.status import Status
from panel.models import Delivery, DeliveryState, Order, Refill, User, Webhook
from panel.services import deliveries, ledger, receivers, refills, transitions
from panel.services.ordering import Placing, place_order
from panel.services.receivers import Shown
from tests.factories import LINK, NOON, a_customer, a_tool, an_order

pytestmark = pytest.mark.both_engines

URL = "https://panel.example.com/webhooks"


def a_receiver(app: Flask, customer: User, *, url: str = URL, balance_low_nanos: int | None = None) -> Shown:
    with transaction():
        return receivers.add(
            customer.id, url=url, balance_low_nanos=balance_low_nanos, settings=app.config["PANEL"], now=NOON
        )


def move(order: Order, to: Status, *, remains: int, now: datetime = NOON) -> None:
    with transaction():
        transitions.move_order(transitions.claim_one(order.id), to, remains=remains, now=now)


def told(**where: object) -> list[dict[str, Any]]:
    """The bodies made so far, oldest first."""
    db.session.rollback()
    rows = db.session.scalars(select(Webhook).filter_by(**where).order_by(Webhook.id)).all()
    return [json.loads(row.body) for row in rows]


def states(receiver_id: int) -> list[str]:
    db.session.rollback()
    found = select(Delivery.state).where(Delivery.receiver_id == receiver_id).order_by(Delivery.webhook_id)
    return list(db.session.scalars(found))


def test_a_move_and_what_came_back_are_told_in_the_words_of_the_api(app: Flask) -> None:
    customer = a_customer("10")
    placing = Placing(a_tool("visits", price="0.90").slug, LINK, "1000", f"{API_NAMED}mine-1")
    with transaction():
        order = place_order(customer.id, asked=placing, now=NOON)
    a_receiver(app, customer)

    move(order, Status.PARTIAL, remains=250)

    changed, refunded = told()
    assert changed == {
        "id": changed["id"],
        "kind": "order.status_changed",
        "number": 1,
        "at": "2026-11-20T12:00:00.000Z",
        "order": {
            "id": order.id,
            "status": "Partial",
            "panel_status": "Partial",
            "remains": "250",
            "start_count": "0",
            "charge": "0.675",
            "currency": "USD",
            "request_id": "mine-1",
        },
    }
    assert (refunded["kind"], refunded["number"], refunded["returned"]) == ("order.refunded", 2, "0.225")
    assert changed["id"] != refunded["id"] and changed["id"].startswith("evt_")


def test_a_body_is_compact_and_its_keys_are_sorted(app: Flask) -> None:
    order = an_order()
    a_receiver(app, db.session.get_one(User, order.customer_id))

    move(order, Status.PROCESSING, remains=1_000)

    body = db.session.scalars(select(Webhook.body)).one()
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))


def test_a_count_alone_is_not_told_and_forms_have_no_request_id(app: Flask) -> None:
    order = an_order(status=Status.IN_PROGRESS, remains=900)
    a_receiver(app, db.session.get_one(User, order.customer_id))

    move(order, Status.IN_PROGRESS, remains=800)
    move(order, Status.COMPLETED, remains=0)

    (only,) = told()
    assert only["order"]["status"] == "Completed"
    assert "request_id" not in only["order"]


def test_a_refill_is_told_at_each_state_and_the_api_word_of_the_order_stays(app: Flask) -> None:
    order = an_order(status=Status.COMPLETED)
    a_receiver(app, db.session.get_one(User, order.customer_id))

    with transaction():
        refill = refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)
    with transaction():
        found = db.session.get_one(Refill, refill.id)
        refills.end(found, transitions.claim_one(order.id), RefillState.COMPLETED, reason="", now=NOON)

    assert [(each["kind"], each["number"]) for each in told()] == [
        ("order.status_changed", 1),
        ("refill.status_changed", 2),
        ("order.status_changed", 3),
        ("refill.status_changed", 4),
    ]
    assert [each["refill"]["status"] for each in told(kind="refill.status_changed")] == ["Pending", "Completed"]
    moves = told(kind="order.status_changed")
    assert [each["order"]["status"] for each in moves] == ["Completed", "Completed"]
    assert [each["order"]["panel_status"] for each in moves] == ["Refill", "Completed"]


def test_a_rollback_leaves_no_webhook(app: Flask) -> None:
    order = an_order()
    a_receiver(app, db.session.get_one(User, order.customer_id))

    with pytest.raises(ZeroDivisionError), transaction():
        transitions.move_order(transitions.claim_one(order.id), Status.CANCELED, remains=1_000, now=NOON)
        raise ZeroDivisionError

    assert told() == []


def test_numbers_have_no_gap_when_moves_come_at_once(app: Flask) -> None:
    customer, tool = a_customer("1000"), a_tool()
    orders = [an_order(customer=customer, tool=tool).id for _ in range(4)]
    a_receiver(app, customer)
    customer_id = customer.id
    db.session.rollback()
    start = threading.Barrier(4)

    def walk(order_id: int) -> None:
        with app.app_context():
            start.wait()
            for to, remains in ((Status.PROCESSING, 1_000), (Status.IN_PROGRESS, 600), (Status.PARTIAL, 500)):
                with transaction():
                    transitions.move_order(transitions.claim_one(order_id), to, remains=remains, now=NOON)
            db.session.remove()

    threads = [threading.Thread(target=walk, args=(order_id,)) for order_id in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    for order_id in orders:
        assert [each["number"] for each in told(order_id=order_id)] == [1, 2, 3, 4]
    assert len(told(user_id=customer_id)) == 16


def test_a_low_balance_is_told_once_a_crossing_to_the_receivers_that_asked(app: Flask) -> None:
    customer = a_customer("10")
    tool = a_tool(price="1")
    early = a_receiver(app, customer, url=f"{URL}/a", balance_low_nanos=9_000_000_000).receiver.id
    late = a_receiver(app, customer, url=f"{URL}/b", balance_low_nanos=7_500_000_000).receiver.id
    never = a_receiver(app, customer, url=f"{URL}/c").receiver.id

    for _ in range(4):
        an_order(customer=customer, tool=tool, quantity=1_000)

    assert [(each["balance"], each["below"]) for each in told()] == [("8.00", "9.00"), ("7.00", "7.50")]
    assert [len(states(each)) for each in (early, late, never)] == [1, 1, 0]

    with transaction():
        ledger.deposit(customer.id, amount_nanos=5_000_000_000, reason="deposit:again", note="", now=NOON)
    an_order(customer=customer, tool=tool, quantity=3_000)

    assert [each["balance"] for each in told()][2:] == ["8.00"]
    assert len(states(early)) == 2


def test_a_customer_without_receivers_costs_one_read_a_batch(app: Flask) -> None:
    customer, tool = a_customer("1000"), a_tool()
    ids = [an_order(customer=customer, tool=tool).id for _ in range(20)]
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *call: seen.append(call[2]))

    with transaction():
        orders = transitions.claim(ids).values()
        transitions.apply([transitions.Move(order, Status.COMPLETED, 0) for order in orders], now=NOON)

    assert len([statement for statement in seen if "receivers" in statement]) == 1
    assert not [statement for statement in seen if "webhooks" in statement or "deliveries" in statement]


def test_only_the_customers_own_live_receivers_are_told(app: Flask) -> None:
    order = an_order()
    owner = db.session.get_one(User, order.customer_id)
    live = a_receiver(app, owner).receiver.id
    gone = a_receiver(app, owner, url=f"{URL}/old").receiver.id
    foreign = a_receiver(app, a_customer()).receiver.id
    with transaction():
        receivers.remove(gone, user_id=owner.id, now=NOON)

    move(order, Status.COMPLETED, remains=0)

    assert [len(states(each)) for each in (live, gone, foreign)] == [1, 0, 0]


def a_queue(app: Flask, *, count: int = 1, now: datetime = NOON) -> int:
    """A receiver with this many tests waiting; its id."""
    customer = a_customer()
    receiver_id = a_receiver(app, customer).receiver.id
    for _ in range(count):
        with transaction():
            receivers.send_test(receiver_id, user_id=customer.id, now=now)
    return receiver_id


def attempt(receiver_id: int, *, status: int | None, now: datetime) -> str | None:
    """Take the first of the queue and settle it; its id, or None when none is due."""
    with transaction():
        parcel = deliveries.take(receiver_id, lease_seconds=30, now=now)
    if parcel is None:
        return None
    with transaction():
        deliveries.settle(parcel, status=status, answer=f"{status}", now=now)
    return parcel.public_id


def test_what_is_not_taken_is_sent_again_later_and_later_until_72_hours_have_passed(app: Flask) -> None:
    receiver_id = a_queue(app)
    tries: list[timedelta] = []
    now, public_ids = NOON, set()

    while states(receiver_id) == [DeliveryState.WAITING] and len(tries) < 100:
        public_ids.add(attempt(receiver_id, status=503, now=now))
        tries.append(now - NOON)
        assert deliveries.receivers_with_work(now=now) == []
        now = deliveries.log(receiver_id, count=1)[0].due_at or now

    waits = [(after - before).total_seconds() for before, after in pairwise(tries)]
    assert waits[:6] == [10, 60, 300, 1_800, 7_200, 21_600] and set(waits[6:]) == {21_600}
    assert timedelta(hours=72) <= tries[-1] < timedelta(hours=78)
    assert len(public_ids) == 1
    assert states(receiver_id) == [DeliveryState.GIVEN_UP]
    (line,) = deliveries.log(receiver_id, count=100)
    assert (line.tries, line.answer, line.due_at) == (len(tries), "503", None)


@pytest.mark.parametrize("status", [None, 199, 301, 302, 400, 404, 410, 429, 500])
def test_every_answer_but_2xx_is_tried_again(app: Flask, status: int | None) -> None:
    receiver_id = a_queue(app)

    attempt(receiver_id, status=status, now=NOON)

    assert states(receiver_id) == [DeliveryState.WAITING]
    assert deliveries.receivers_with_work(now=NOON + timedelta(seconds=9)) == []
    assert deliveries.receivers_with_work(now=NOON + timedelta(seconds=10)) == [receiver_id]


def test_a_queue_is_sent_in_the_order_in_which_things_happened(app: Flask) -> None:
    receiver_id = a_queue(app, count=3)
    wanted = [each["id"] for each in told()]

    sent = [attempt(receiver_id, status=500, now=NOON), attempt(receiver_id, status=204, now=NOON)]
    later = NOON + timedelta(seconds=10)
    sent += [attempt(receiver_id, status=200, now=later) for _ in range(4)]

    assert sent == [wanted[0], None, *wanted, None]


def test_one_worker_at_a_time_sends_the_first_of_a_queue(app: Flask) -> None:
    receiver_id = a_queue(app, count=2)

    with transaction():
        first = deliveries.take(receiver_id, lease_seconds=30, now=NOON)
    with transaction():
        second = deliveries.take(receiver_id, lease_seconds=30, now=NOON + timedelta(seconds=29))
    with transaction():
        again = deliveries.take(receiver_id, lease_seconds=30, now=NOON + timedelta(seconds=30))

    assert first is not None and second is None and again is not None
    assert (first.public_id, first.body) == (again.public_id, again.body)


def test_who_comes_late_does_not_undo_what_another_delivered(app: Flask) -> None:
    receiver_id = a_queue(app)
    with transaction():
        slow = deliveries.take(receiver_id, lease_seconds=30, now=NOON)
    assert slow is not None
    attempt(receiver_id, status=200, now=NOON + timedelta(minutes=1))

    with transaction():
        deliveries.settle(slow, status=None, answer="No answer.", now=NOON + timedelta(minutes=2))

    assert states(receiver_id) == [DeliveryState.DELIVERED]


def test_after_72_hours_of_silence_what_waited_behind_is_given_up_too(app: Flask) -> None:
    receiver_id = a_queue(app, count=3)
    fresh = NOON + timedelta(hours=71)
    with transaction():
        owner = receivers.find(receiver_id, user_id=_owner(receiver_id)).user_id
        receivers.send_test(receiver_id, user_id=owner, now=fresh)

    attempt(receiver_id, status=None, now=NOON + timedelta(hours=73))

    assert states(receiver_id) == [*[DeliveryState.GIVEN_UP] * 3, DeliveryState.WAITING]
    assert [line.answer for line in deliveries.log(receiver_id, count=3)][1:] == [deliveries.NEVER_SENT] * 2
    assert deliveries.receivers_with_work(now=NOON + timedelta(hours=73, seconds=9)) == []
    assert deliveries.receivers_with_work(now=NOON + timedelta(hours=73, seconds=10)) == [receiver_id]


def _owner(receiver_id: int) -> int:
    return db.session.scalars(select(Webhook.user_id).join(Delivery, Delivery.webhook_id == Webhook.id)).first() or 0


def test_what_was_given_up_can_be_sent_again(app: Flask) -> None:
    receiver_id = a_queue(app)
    late = NOON + timedelta(hours=73)
    attempt(receiver_id, status=500, now=late)
    (line,) = deliveries.log(receiver_id, count=1)

    with transaction():
        receivers.send_again(line.id, receiver_id=receiver_id, user_id=_owner(receiver_id), now=late)
    sent = attempt(receiver_id, status=200, now=late)

    assert sent == told()[0]["id"]
    assert states(receiver_id) == [DeliveryState.DELIVERED]


def test_two_secrets_sign_for_24_hours_after_a_rotation(app: Flask) -> None:
    receiver_id = a_queue(app, count=3)
    owner = _owner(receiver_id)
    with transaction():
        mark = receivers.mark_of(receivers.find(receiver_id, user_id=owner))
        receivers.rotate(receiver_id, user_id=owner, mark=mark, settings=app.config["PANEL"], now=NOON)

    counts: Sequence[int] = [
        len(_taken(receiver_id, now=now).sealed_secrets)
        for now in (NOON, NOON + timedelta(hours=23, minutes=59), NOON + timedelta(hours=24))
    ]

    assert counts == [2, 2, 1]


def _taken(receiver_id: int, *, now: datetime) -> deliveries.Parcel:
    with transaction():
        parcel = deliveries.take(receiver_id, lease_seconds=1, now=now)
    assert parcel is not None
    return parcel
