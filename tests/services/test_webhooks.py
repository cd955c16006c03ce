"""Webhook events: queued in the transaction of the change that they report."""

import json
import threading
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from panel.db import db, transaction
from panel.domain.refill import RefillState
from panel.domain.request_id import API_NAMED
from panel.domain.status import Status
from panel.models import Order, Refill, User, Webhook, WebhookDelivery
from panel.services.api import webhook_endpoints
from panel.services.api.webhook_endpoints import NewSecret
from panel.services.money import ledger
from panel.services.orders import refills, transitions
from panel.services.orders.placing import Placing, place_order
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order

pytestmark = pytest.mark.both_engines

URL = "https://panel.example.com/webhooks"


def an_endpoint(app: Flask, customer: User, *, url: str = URL, balance_low_nanos: int | None = None) -> NewSecret:
    with transaction():
        return webhook_endpoints.add(
            customer.id, url=url, balance_low_nanos=balance_low_nanos, settings=app.config["PANEL"], now=NOON
        )


def move(order: Order, to: Status, *, remains: int, now: datetime = NOON) -> None:
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), to, remains=remains, now=now)


def event_bodies(**where: object) -> list[dict[str, Any]]:
    """Bodies of the events so far, oldest first."""
    db.session.rollback()
    rows = db.session.scalars(select(Webhook).filter_by(**where).order_by(Webhook.id)).all()
    return [json.loads(row.body) for row in rows]


def states(endpoint_id: int) -> list[str]:
    db.session.rollback()
    found = (
        select(WebhookDelivery.state)
        .where(WebhookDelivery.endpoint_id == endpoint_id)
        .order_by(WebhookDelivery.webhook_id)
    )
    return list(db.session.scalars(found))


def test_a_transition_and_its_refund_are_events_in_the_words_of_the_api(app: Flask) -> None:
    customer = a_customer("10")
    placing = Placing(a_tool("visits", price="0.90").slug, LINK, "1000", f"{API_NAMED}mine-1")
    with transaction():
        order = place_order(customer.id, asked=placing, now=NOON)
    an_endpoint(app, customer)

    move(order, Status.PARTIAL, remains=250)

    changed, refunded = event_bodies()
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
    an_endpoint(app, db.session.get_one(User, order.customer_id))

    move(order, Status.PROCESSING, remains=1_000)

    body = db.session.scalars(select(Webhook.body)).one()
    assert body == json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))


def test_a_new_count_alone_is_no_event_and_forms_have_no_request_id(app: Flask) -> None:
    order = an_order(status=Status.IN_PROGRESS, remains=900)
    an_endpoint(app, db.session.get_one(User, order.customer_id))

    move(order, Status.IN_PROGRESS, remains=800)
    move(order, Status.COMPLETED, remains=0)

    (only,) = event_bodies()
    assert only["order"]["status"] == "Completed"
    assert "request_id" not in only["order"]


def test_a_refill_is_an_event_at_each_state_and_the_api_word_of_the_order_stays(app: Flask) -> None:
    order = an_order(status=Status.COMPLETED)
    an_endpoint(app, db.session.get_one(User, order.customer_id))

    with transaction():
        refill = refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)
    with transaction():
        found = db.session.get_one(Refill, refill.id)
        refills.end_refill(found, transitions.lock_order(order.id), RefillState.COMPLETED, reason="", now=NOON)

    assert [(each["kind"], each["number"]) for each in event_bodies()] == [
        ("order.status_changed", 1),
        ("refill.status_changed", 2),
        ("order.status_changed", 3),
        ("refill.status_changed", 4),
    ]
    assert [each["refill"]["status"] for each in event_bodies(kind="refill.status_changed")] == ["Pending", "Completed"]
    moves = event_bodies(kind="order.status_changed")
    assert [each["order"]["status"] for each in moves] == ["Completed", "Completed"]
    assert [each["order"]["panel_status"] for each in moves] == ["Refill", "Completed"]


def test_a_rollback_leaves_no_webhook(app: Flask) -> None:
    order = an_order()
    an_endpoint(app, db.session.get_one(User, order.customer_id))

    with pytest.raises(ZeroDivisionError), transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.CANCELED, remains=1_000, now=NOON)
        raise ZeroDivisionError

    assert event_bodies() == []


def test_numbers_have_no_gap_when_moves_come_at_once(app: Flask) -> None:
    customer, tool = a_customer("1000"), a_tool()
    orders = [an_order(customer=customer, tool=tool).id for _ in range(4)]
    an_endpoint(app, customer)
    customer_id = customer.id
    db.session.rollback()
    start = threading.Barrier(4)

    def walk(order_id: int) -> None:
        with app.app_context():
            start.wait()
            for to, remains in ((Status.PROCESSING, 1_000), (Status.IN_PROGRESS, 600), (Status.PARTIAL, 500)):
                with transaction():
                    transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=NOON)
            db.session.remove()

    threads = [threading.Thread(target=walk, args=(order_id,)) for order_id in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    for order_id in orders:
        assert [each["number"] for each in event_bodies(order_id=order_id)] == [1, 2, 3, 4]
    assert len(event_bodies(user_id=customer_id)) == 16


def test_a_low_balance_is_one_event_per_crossing_for_endpoints_with_a_threshold(app: Flask) -> None:
    customer = a_customer("10")
    tool = a_tool(price="1")
    early = an_endpoint(app, customer, url=f"{URL}/a", balance_low_nanos=9_000_000_000).endpoint.id
    late = an_endpoint(app, customer, url=f"{URL}/b", balance_low_nanos=7_500_000_000).endpoint.id
    never = an_endpoint(app, customer, url=f"{URL}/c").endpoint.id

    for _ in range(4):
        an_order(customer=customer, tool=tool, quantity=1_000)

    assert [(each["balance"], each["below"]) for each in event_bodies()] == [("8.00", "9.00"), ("7.00", "7.50")]
    assert [len(states(each)) for each in (early, late, never)] == [1, 1, 0]

    with transaction():
        ledger.deposit(customer.id, amount_nanos=5_000_000_000, reason="deposit:again", note="", now=NOON)
    an_order(customer=customer, tool=tool, quantity=3_000)

    assert [each["balance"] for each in event_bodies()][2:] == ["8.00"]
    assert len(states(early)) == 2


def test_moves_of_a_customer_without_endpoints_cost_no_statement_here(app: Flask) -> None:
    customer, tool = a_customer("1000"), a_tool()
    ids = [an_order(customer=customer, tool=tool).id for _ in range(20)]
    seen: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *call: seen.append(call[2]))

    with transaction():
        orders = transitions.lock_orders(ids).values()
        transitions.apply_moves([transitions.Move(order, Status.COMPLETED, 0) for order in orders], now=NOON)

    ours = ("webhook_endpoints", "webhooks", "deliveries")
    assert not [statement for statement in seen if any(table in statement for table in ours)]


def test_only_the_customers_own_live_endpoints_get_events(app: Flask) -> None:
    order = an_order()
    owner = db.session.get_one(User, order.customer_id)
    live = an_endpoint(app, owner).endpoint.id
    gone = an_endpoint(app, owner, url=f"{URL}/old").endpoint.id
    foreign = an_endpoint(app, a_customer()).endpoint.id
    with transaction():
        webhook_endpoints.remove(gone, user_id=owner.id, now=NOON)

    move(order, Status.COMPLETED, remains=0)

    assert [len(states(each)) for each in (live, gone, foreign)] == [1, 0, 0]
