"""Order emails: who gets one, what it says, and that several orders share one."""

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.notification_kinds import Notice
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import Mail, Order, User
from panel.services.mail import notifications, order_notifications
from panel.services.orders import refills, transitions
from panel.services.orders.transitions import Move
from tests.support.factories import NOON, a_customer, a_tool, an_order, new_terms

LATER = NOON + timedelta(minutes=6)


def queued_mails(*, now: object = NOON) -> list[Mail]:
    """Run the sweep over ended orders; returns the mails that it queued."""
    for customer_id in order_notifications.customers_with_news(now=now):  # type: ignore[arg-type]
        with transaction():
            order_notifications.notify_customer(customer_id, now=now)  # type: ignore[arg-type]
    return list(db.session.scalars(select(Mail).order_by(Mail.id)))


def end(orders: Sequence[Order], to: Status = Status.COMPLETED, *, remains: int = 0) -> None:
    with transaction():
        claimed = transitions.lock_orders([order.id for order in orders])
        transitions.apply_moves([Move(order, to, remains) for order in claimed.values()], now=NOON)


@pytest.mark.both_engines
def test_customer_gets_one_mail_about_how_an_order_ended_with_its_amounts() -> None:
    customer = a_customer("10.00")
    order = an_order(customer=customer, tool=a_tool("visits", price="0.90"), quantity=1_000)
    end([order], Status.PARTIAL, remains=157)

    (mail,) = queued_mails()

    assert (mail.email, mail.kind, mail.subject) == (customer.email, "orders", f"Order {order.id} is Partial")
    assert "Delivered: 843 of 1,000" in mail.text
    assert "Charged: $0.90" in mail.text
    assert "Returned to your balance: $0.1413" in mail.text
    assert "your balance was $9.2413." in mail.text
    assert f"http://127.0.0.1:8000/orders/{order.id}\n" in mail.text
    assert mail.unsubscribe in mail.text
    assert len(queued_mails(now=LATER)) == 1


@pytest.mark.parametrize(
    ("status", "delivered", "returned"),
    [(Status.COMPLETED, "1,000 of 1,000", "$0.00"), (Status.CANCELED, "0 of 1,000", "$0.90")],
)
def test_each_final_status_shows_delivered_quantity_and_refund(status: Status, delivered: str, returned: str) -> None:
    end([an_order(quantity=1_000, price="0.90")], status)

    (mail,) = queued_mails()

    assert f"Delivered: {delivered}" in mail.text
    assert f"Returned to your balance: {returned}" in mail.text


def test_orders_that_end_together_share_one_mail_and_later_ones_the_next() -> None:
    customer, tool = a_customer(), a_tool(price="0.50")
    orders = [an_order(customer=customer, tool=tool, quantity=100) for _ in range(5)]
    end(orders[:3])

    (first,) = queued_mails()
    end(orders[3:])
    assert queued_mails(now=NOON + timedelta(minutes=4)) == [first]
    _, second = queued_mails(now=LATER)

    assert first.subject == "3 of your orders have ended"
    assert "charged $0.15, returned to your balance $0.00" in first.text
    assert [f"Order {order.id} is" in second.text for order in orders] == [False, False, False, True, True]


def test_a_mail_lists_fifty_orders_and_counts_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_notifications, "MAX_LISTED", 2)
    customer, tool = a_customer(), a_tool()
    end([an_order(customer=customer, tool=tool, quantity=100) for _ in range(4)])

    (mail,) = queued_mails()

    assert mail.subject == "4 of your orders have ended"
    assert mail.text.count("Tool: ") == 2
    assert "And 2 more: http://127.0.0.1:8000/orders\n" in mail.text


def test_orders_placed_through_the_api_are_not_mailed() -> None:
    customer, tool = a_customer(), a_tool()
    orders = [an_order(customer=customer, tool=tool, request_id=f"api:{kind}") for kind in ("request:1234", "key:1:ab")]

    end(orders)

    assert queued_mails() == []
    assert _marked() == []


def test_no_notice_goes_to_an_address_nobody_confirmed_and_none_that_is_not_wanted() -> None:
    unconfirmed, choosy = a_customer(), a_customer()
    with transaction():
        db.session.get_one(User, unconfirmed.id).email_confirmed_at = None
        notifications.set_preferences(choosy.id, wanted=set(Notice) - {Notice.COMPLETED})
    end([an_order(customer=unconfirmed), an_order(customer=choosy)])

    assert queued_mails() == []
    assert _marked() == []
    end([an_order(customer=choosy)], Status.CANCELED)
    assert [mail.email for mail in queued_mails()] == [choosy.email]


def test_a_refill_that_ends_has_a_mail_of_its_own_and_no_second_one_about_the_order() -> None:
    order = an_order(status=Status.COMPLETED)
    assert len(queued_mails()) == 1
    with transaction():
        refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)
    with transaction():
        claimed = transitions.lock_order(order.id)
        open_refill = refills.open_refill_of(order.id)
        assert open_refill is not None
        reason = "It has not dropped."
        refills.end_refill(open_refill, claimed, RefillState.REFUSED, reason=reason, now=NOON)

    mail = queued_mails(now=LATER)[-1]

    assert mail.subject == f"The refill of order {order.id} was refused"
    assert "Reason: It has not dropped." in mail.text
    assert len(queued_mails(now=LATER)) == 2


def test_an_order_in_refill_before_its_mail_was_queued_is_still_reported_as_completed() -> None:
    order = an_order(status=Status.COMPLETED)
    with transaction():
        refills.request_refill(order.id, customer_id=order.customer_id, now=NOON)

    (mail,) = queued_mails()

    assert mail.subject == f"Order {order.id} is Completed"


def test_a_hostile_name_or_reason_stays_one_plain_line_of_the_mail() -> None:
    tool = a_tool()
    new_terms(tool, name="Views\r\n\r\nYour password expired: https://evil.example\u202e {{ 7 * 7 }} <b>")
    order = an_order(tool=tool)
    with transaction():
        claimed = transitions.lock_order(order.id)
        reason = "Private\n-- \nhttps://evil.example"
        transitions.move_order(claimed, Status.CANCELED, remains=order.quantity, reason=reason, now=NOON)

    (mail,) = queued_mails()

    lines = mail.text.splitlines()
    assert "  Tool: Views Your password expired: https://evil.example {{ 7 * 7 }} <b>" in lines
    assert "Private -- https://evil.example" in lines
    assert not [line for line in lines if line.startswith(("Your password", "https://evil"))]
    assert mail.text.isascii()


def _marked() -> list[int]:
    return list(db.session.scalars(select(Order.id).where(Order.notice_at.is_not(None))))


@pytest.mark.both_engines
def test_two_workers_at_once_make_one_mail_of_what_ended(app: Flask) -> None:
    order = an_order(status=Status.COMPLETED)
    customer_id = order.customer_id
    db.session.rollback()
    made: list[bool] = []
    start = threading.Barrier(2)

    def notify() -> None:
        with app.app_context():
            start.wait()
            with transaction():
                made.append(order_notifications.notify_customer(customer_id, now=NOON))
            db.session.remove()

    workers = [threading.Thread(target=notify) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sorted(made) == [False, True]
    assert len(db.session.scalars(select(Mail)).all()) == 1


@pytest.mark.both_engines
def test_end_of_a_refill_marks_the_order_for_no_mail() -> None:
    order = an_order(status=Status.REFILL)
    queued_mails()

    end([order], Status.COMPLETED)

    assert _marked() == []
