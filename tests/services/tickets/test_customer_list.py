"""Ticket lists: a customer's own with counts, and the operators' queue in its order."""

from datetime import timedelta

import pytest

from panel.domain.ticket import TicketState
from panel.services.tickets import customer_context, customer_list, queue, response_times
from panel.services.tickets.queue import QueueFilters, Stage, Whose
from tests.support.factories import NOON, a_customer, an_operator, an_order, reload
from tests.support.ticket_factories import a_ticket, answered


def test_own_tickets_come_with_the_last_word_first_and_others_not_at_all() -> None:
    customer, operator = a_customer("10"), an_operator()
    order = an_order(customer=customer)
    first = a_ticket(customer=customer, order=order.id, kind="order")
    second = a_ticket(customer=customer, now=NOON + timedelta(minutes=1))
    a_ticket()
    answered(first, operator=operator, now=NOON + timedelta(minutes=2))

    rows = customer_list.page(customer.id).rows

    assert [row.id for row in rows] == [first.id, second.id]
    assert (rows[0].about, rows[0].state) == (f"order {order.id}", TicketState.WAITING_FOR_YOU)
    assert customer_list.counts(customer.id) == {
        TicketState.WAITING_FOR_US: 1,
        TicketState.WAITING_FOR_YOU: 1,
        TicketState.CLOSED: 0,
    }
    assert [row.id for row in customer_list.page(customer.id, state=TicketState.WAITING_FOR_US).rows] == [second.id]
    assert [row.id for row in customer_list.about_order(order.id)] == [first.id]


def test_long_list_comes_in_pages() -> None:
    customer = a_customer()
    for hour in range(customer_list.TICKETS_PER_PAGE + 1):
        a_ticket(customer=customer, now=NOON + timedelta(hours=hour))

    first, second = (customer_list.page(customer.id, number=number) for number in (1, 2))

    assert (len(first.rows), first.has_more) == (customer_list.TICKETS_PER_PAGE, True)
    assert (len(second.rows), second.has_more) == (1, False)


@pytest.mark.both_engines
def test_queue_begins_with_what_has_waited_longest_for_us() -> None:
    operator = an_operator()
    answered_one = a_ticket(now=NOON)
    newer, older = a_ticket(now=NOON + timedelta(hours=2)), a_ticket(now=NOON + timedelta(hours=1))
    closed_one, closed_two = a_ticket(now=NOON), a_ticket(now=NOON)
    answered(answered_one, operator=operator, now=NOON + timedelta(minutes=1))
    answered(closed_one, operator=operator, closes=True, now=NOON + timedelta(minutes=2))
    answered(closed_two, operator=operator, closes=True, now=NOON + timedelta(minutes=3))

    def ids(**filters: object) -> list[int]:
        return [row.id for row in queue.page(filters=QueueFilters(**filters), operator_id=operator.id).rows]  # type: ignore[arg-type]

    assert ids() == [older.id, newer.id, answered_one.id]
    assert ids(stage=Stage.CLOSED) == [closed_two.id, closed_one.id]
    assert ids(stage=Stage.ANY) == [older.id, newer.id, answered_one.id, closed_two.id, closed_one.id]
    assert ids(whose=Whose.MINE) == [answered_one.id]
    assert ids(whose=Whose.NOBODYS) == [older.id, newer.id]
    assert ids(customer_id=older.customer_id) == [older.id]
    assert queue.counts(filters=QueueFilters(), operator_id=operator.id) == {
        Whose.ALL: 3,
        Whose.MINE: 1,
        Whose.NOBODYS: 2,
    }


@pytest.mark.both_engines
def test_search_finds_numbers_subjects_and_emails_and_takes_no_pattern() -> None:
    customer = a_customer("10", email="anna@example.com")
    order = an_order(customer=customer)
    ticket = a_ticket(customer=customer, order=order.id, subject="100% of it_em")
    a_ticket(subject="Another")

    def found(search: str) -> list[int]:
        return [row.id for row in queue.page(filters=QueueFilters(search=search), operator_id=1).rows]

    for search in (f"#{ticket.id}", "ANNA@", "100%", "it_em", "0% OF"):
        assert ticket.id in found(search), search
    for search in ("100%it", "item", "' OR 1=1 --", "9" * 30):
        assert found(search) == [], search
    assert ticket.id in found(str(order.id))


def test_first_answers_are_measured_from_opening_and_only_once_there_are_enough() -> None:
    operator = an_operator()
    for minutes in range(1, response_times.MIN_SAMPLE):
        answered(a_ticket(now=NOON), operator=operator, now=NOON + timedelta(minutes=minutes))
    long_ago = a_ticket(now=NOON - timedelta(days=40))
    answered(long_ago, operator=operator, now=NOON - timedelta(days=31))
    waiting = a_ticket(now=NOON)
    now = NOON + timedelta(days=1)
    too_few = response_times.first_answers(now=now)

    answered(waiting, operator=operator, now=NOON + timedelta(minutes=90))
    answered(waiting, operator=operator, now=NOON + timedelta(minutes=95))
    measured = response_times.first_answers(now=now)

    assert too_few is None
    assert measured is not None
    assert (measured.sample, measured.median_seconds, measured.p90_seconds) == (10, 5 * 60, 9 * 60)


def test_ticket_page_lists_the_customers_orders_and_other_tickets() -> None:
    customer = a_customer("10")
    order = an_order(customer=customer)
    ticket, other = a_ticket(customer=customer), a_ticket(customer=customer)
    a_ticket()

    found = customer_context.customer_of(reload(ticket))

    assert (found.email, found.tickets) == (customer.email, 2)
    assert [each.id for each in found.orders] == [order.id]
    assert [row.id for row in found.other_tickets] == [other.id]
    assert found.held_nanos == order.charge_nanos


def test_tickets_with_equal_waiting_time_are_in_order_of_arrival() -> None:
    operator = an_operator()
    ids = [a_ticket(now=NOON).id for _ in range(3)]

    assert [row.id for row in queue.page(filters=QueueFilters(), operator_id=operator.id).rows] == ids
