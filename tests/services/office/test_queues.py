"""Office queues: each has exactly the orders that its rule names."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.domain.lists import office_order_filters
from panel.domain.status import Status
from panel.models import Order, OrderEvent, Provider
from panel.providers.base import Unclear
from panel.services import delivery_times
from panel.services.office import order_detail, order_table, queues
from panel.services.office.queue_counts import LatenessLimits
from panel.services.orders import cancellations, dispatch, refills
from panel.services.orders import detail as customer_order_detail
from tests.support.factories import NOON, a_customer, a_provider, a_tool, an_order

LIMITS = LatenessLimits(dispatch_hours=24, stuck_hours=24, unconfirmed_hours=72)
HOUR = timedelta(hours=1)


def waiting(*, now: datetime = NOON) -> dict[str, int]:
    """Number of orders in each queue that is not empty."""
    db.session.rollback()
    delivery_times.clear_cache()
    return {queue.name: queue.count for queue in queues.all_queues(LIMITS, now=now) if queue.count}


def test_nothing_waits_in_an_empty_panel() -> None:
    assert waiting() == {}


@pytest.mark.both_engines
def test_order_is_late_after_the_hours_of_the_setting_while_too_few_were_measured() -> None:
    an_order(now=NOON - 24 * HOUR)
    an_order(now=NOON - 23 * HOUR)
    an_order(now=NOON - 50 * HOUR, status=Status.COMPLETED)

    assert waiting() == {"late": 1}


def test_order_is_late_after_what_ninety_of_a_hundred_of_its_tool_took() -> None:
    tool, other, customer = a_tool(), a_tool(), a_customer("1000")
    for _ in range(delivery_times.MIN_SAMPLE):
        done = an_order(tool=tool, customer=customer, quantity=10, status=Status.COMPLETED, now=NOON - 3 * HOUR)
        with transaction():
            db.session.execute(update(Order).where(Order.id == done.id).values(started_at=NOON - 2 * HOUR))
    an_order(tool=tool, customer=customer, now=NOON - 59 * timedelta(minutes=1))
    late = an_order(tool=tool, customer=customer, now=NOON - HOUR)
    an_order(tool=other, customer=customer, now=NOON - HOUR)

    assert waiting() == {"late": 1}
    found = queues.orders_in("late", LIMITS, now=NOON)
    assert found is not None
    assert db.session.execute(select(found.c.id)).scalars().all() == [late.id]


def test_order_is_stuck_when_status_and_count_do_not_change() -> None:
    an_order(status=Status.IN_PROGRESS, now=NOON - 24 * HOUR)
    an_order(status=Status.IN_PROGRESS, now=NOON - 23 * HOUR)

    assert waiting() == {"stalled": 1}


def test_report_without_change_is_not_news_of_the_order() -> None:
    order = an_order(status=Status.IN_PROGRESS, now=NOON - 24 * HOUR)
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=NOON)

    assert waiting()["stalled"] == 1


def test_unconfirmed_send_waits_with_its_deadline_and_is_not_called_late() -> None:
    tool = a_tool()
    an_order(tool=tool, now=NOON - 30 * HOUR)
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON - 30 * HOUR)
        dispatch.record_outcome(taken.attempt_id, Unclear("502"), now=NOON - 30 * HOUR)

    assert waiting() == {"unconfirmed": 1, "reviews": 1}
    [queue] = [queue for queue in queues.all_queues(LIMITS, now=NOON) if queue.name == "unconfirmed"]
    assert queue.ends_at == NOON + 42 * HOUR


def test_work_by_hand_waits_until_it_has_ended() -> None:
    an_order(provider="manual")
    done = an_order(provider="manual", status=Status.COMPLETED)
    assert waiting() == {"manual": 1}

    with transaction():
        refills.request_refill(done.id, customer_id=done.customer_id, now=NOON)

    assert waiting() == {"manual": 1, "refills": 1, "reviews": 1}


def test_silent_and_paused_providers_wait_once_each() -> None:
    quiet, paused = a_provider(name="quiet"), a_provider(name="paused")
    with transaction():
        db.session.execute(update(Provider).where(Provider.id == quiet.id).values(failures=5))
        db.session.execute(update(Provider).where(Provider.id == paused.id).values(failures=9, paused_at=NOON))

    assert waiting() == {"providers": 2}


def test_every_queue_says_its_rule_and_where_it_is_shown() -> None:
    found = queues.all_queues(LIMITS, now=NOON)

    assert all(queue.rule.endswith(".") and queue.page.startswith("/office/") for queue in found)
    assert {name for name, _label in queues.ORDER_QUEUES} <= {queue.name for queue in found}


def ids_of(**given: str) -> list[int]:
    """Ids of the orders that the table shows for these query parameters."""
    names = tuple(name for name, _label in queues.ORDER_QUEUES)
    wanted = office_order_filters.parse({name.rstrip("_"): value for name, value in given.items()}, queues=names)
    return [line.id for line in order_table.page(wanted, LIMITS, now=NOON).lines]


@pytest.mark.both_engines
def test_table_narrows_by_whose_which_and_what_and_searches_all_that_names_an_order() -> None:
    anna, berta = a_customer("1000", email="anna@example.com"), a_customer("1000", email="berta@example.com")
    first = an_order(customer=anna, link="https://example.com/first-one", status=Status.COMPLETED)
    second = an_order(customer=berta, link="https://example.com/other", provider="manual", now=NOON - 48 * HOUR)
    with transaction():
        db.session.execute(update(Order).where(Order.id == first.id).values(provider_order_id="upstream-9"))
    tool = customer_order_detail.find(second.id, customer_id=berta.id)
    assert tool is not None

    assert ids_of() == [second.id, first.id]
    assert ids_of(status="completed") == ids_of(customer="ANNA@example.com") == ids_of(q="upstream-9") == [first.id]
    assert ids_of(q="first-one") == ids_of(q=f"#{first.id}") == ids_of(q="nna@exa") == [first.id]
    assert ids_of(queue="manual") == ids_of(queue="late") == ids_of(tool=tool.tool.slug) == [second.id]
    assert ids_of(provider=str(second.provider_id)) == ids_of(to="2026-11-19") == [second.id]
    assert ids_of(q="%") == ids_of(customer="nna@exa") == []


def test_pages_follow_one_another_without_a_gap() -> None:
    customer, tool = a_customer("1000"), a_tool()
    made = [an_order(customer=customer, tool=tool, quantity=10).id for _ in range(order_table.PAGE_SIZE + 1)]

    wanted = office_order_filters.parse({}, queues=())
    first = order_table.page(wanted, LIMITS, now=NOON)
    second = order_table.page(wanted.at(first.next_after), LIMITS, now=NOON)

    assert [line.id for line in (*first.lines, *second.lines)] == made[::-1]
    assert second.next_after is None


def test_story_holds_every_transfer_and_event_of_its_order_alone() -> None:
    order, _other = an_order(status=Status.PARTIAL, remains=400), an_order(status=Status.COMPLETED)

    story = order_detail.find(order.id, now=NOON)

    assert story is not None
    assert [(line.kind, line.source, line.target) for line in story.transfers] == [
        ("charge", story.customer.email, "Held for orders"),
        ("return", "Held for orders", story.customer.email),
        ("keep", "Held for orders", "Sales"),
    ]
    assert sum(line.amount_nanos for line in story.transfers[1:]) == story.transfers[0].amount_nanos
    events = db.session.scalars(
        select(OrderEvent.id).where(OrderEvent.order_id == order.id).order_by(OrderEvent.id.desc())
    ).all()
    assert [line.id for line in customer_order_detail.timeline(story.own, page=1).lines] == events
    assert order_detail.find(order.id + 10, now=NOON) is None
