"""Order history: only own orders, exact filters, complete pages, correct counts."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from panel.db import db
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.models import Order
from panel.services.orders import history as order_history
from tests.support.factories import NOON, a_customer, a_tool, an_order


def shown(customer_id: int, **filters: object) -> list[int]:
    return [row.id for row in order_history.history_page(customer_id, filters=OrderFilters(**filters)).rows]


@pytest.mark.both_engines
def test_history_holds_own_orders_newest_first_and_nobody_elses() -> None:
    mine, other = a_customer("100"), a_customer("100")
    tool = a_tool()
    first, _theirs, second = (an_order(customer=who, tool=tool).id for who in (mine, other, mine))

    assert shown(mine.id) == [second, first]


@pytest.mark.both_engines
def test_each_filter_leaves_exactly_what_it_names() -> None:
    customer = a_customer("100")
    visits, plays = a_tool("visits"), a_tool("plays")
    old = an_order(customer=customer, tool=visits, link="https://example.com/old_page".replace("_", "-"))
    new = an_order(customer=customer, tool=plays, status=Status.PARTIAL, now=NOON + timedelta(days=2))

    assert shown(customer.id, status=Status.PARTIAL) == [new.id]
    assert shown(customer.id, status=Status.CANCELED) == []
    assert shown(customer.id, tool="visits") == [old.id]
    assert shown(customer.id, search=f"#{new.id}") == [new.id]
    assert shown(customer.id, search="OLD-pa") == [old.id]
    assert shown(customer.id, search="%") == shown(customer.id, search="old_page") == []
    assert shown(customer.id, first=date(2026, 11, 21)) == [new.id]
    assert shown(customer.id, last=date(2026, 11, 21)) == [old.id]
    assert shown(customer.id, first=date(2026, 11, 20), last=date(2026, 11, 22)) == [new.id, old.id]
    assert shown(customer.id, tool="plays", status=Status.PARTIAL, search="example", after=new.id) == []


@pytest.mark.both_engines
def test_days_begin_and_end_at_midnight_in_utc() -> None:
    customer, tool = a_customer("100"), a_tool()
    midnight = NOON.replace(hour=0)
    moments = [midnight - timedelta(microseconds=1), midnight, midnight + timedelta(days=1)]
    ids = [an_order(customer=customer, tool=tool, now=moment).id for moment in moments]

    assert shown(customer.id, first=midnight.date(), last=midnight.date()) == [ids[1]]


@pytest.mark.both_engines
def test_days_hold_whatever_two_clocks_differ_by() -> None:
    customer, tool = a_customer("100"), a_tool()
    midnight = NOON.replace(hour=0)
    slow, fast = timedelta(minutes=-20), timedelta(minutes=20)
    ids = [an_order(customer=customer, tool=tool, now=midnight + drift).id for drift in (fast, slow, fast)]

    assert shown(customer.id, first=midnight.date()) == [ids[2], ids[0]]
    assert shown(customer.id, last=midnight.date() - timedelta(days=1)) == [ids[1]]


@given(statuses=st.lists(st.sampled_from(list(Status)), max_size=12), size=st.integers(1, 5), data=st.data())
def test_pages_are_complete_and_share_no_order(statuses: list[Status], size: int, data: st.DataObject) -> None:
    customer, tool = a_customer("1000"), a_tool()
    made = {an_order(customer=customer, tool=tool, status=status).id: status for status in statuses}
    wanted = data.draw(st.sampled_from([None, *Status]))
    filters, pages = OrderFilters(status=wanted), []

    usual, order_history.PAGE_SIZE = order_history.PAGE_SIZE, size
    try:
        while True:
            page = order_history.history_page(customer.id, filters=filters)
            pages.append([row.id for row in page.rows])
            if page.next_after is None:
                break
            filters = filters.at(page.next_after)
    finally:
        order_history.PAGE_SIZE = usual

    fitting = [order_id for order_id, status in made.items() if wanted in (None, status)]
    assert [order_id for page in pages for order_id in page] == sorted(fitting, reverse=True)
    assert all(len(page) == size for page in pages[:-1])


@pytest.mark.both_engines
def test_counts_kept_by_moves_are_those_that_counting_finds() -> None:
    customer, tool = a_customer("100"), a_tool()
    for status in [*Status, Status.PARTIAL, Status.PENDING]:
        an_order(customer=customer, tool=tool, status=status)
    an_order(tool=tool)

    kept = order_history.counts_by_status(customer.id)

    counting = select(Order.status, func.count()).where(Order.customer_id == customer.id).group_by(Order.status)
    assert kept == {Status(status): count for status, count in db.session.execute(counting)}


@pytest.mark.both_engines
def test_tools_used_are_those_of_own_orders() -> None:
    customer = a_customer("100")
    first, second, _unused = a_tool(), a_tool(), a_tool()
    for tool in (second, first, second):
        an_order(customer=customer, tool=tool)

    assert sorted(order_history.tools_used(customer.id)) == sorted([first.id, second.id])
    assert order_history.tools_used(a_customer().id) == []
