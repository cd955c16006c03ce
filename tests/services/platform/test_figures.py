"""Daily reports: customers' orders only, by the UTC day on which each thing happened."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.db import db, timed_cache, transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.status import Status
from panel.models import Order
from panel.services import delivery_times
from panel.services.platform import canary, figures, measurements
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order, logged_in

DAY = timedelta(days=1)


@pytest.mark.both_engines
def test_each_day_has_its_orders_returns_and_times() -> None:
    customer, tool = a_customer("1000"), a_tool(price="1")
    for status in (Status.COMPLETED, Status.PARTIAL, Status.CANCELED, Status.PENDING):
        an_order(customer=customer, tool=tool, status=status, now=NOON)
    late = an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=NOON + DAY)
    with transaction():
        db.session.execute(update(Order).where(Order.id == late.id).values(completed_at=NOON + DAY + DAY / 24))
        canary.prepare(key="smm_tests", now=NOON)
    with transaction():
        canary.place(now=NOON)
    forget()

    days = {day.day: day for day in figures.by_day(now=NOON + DAY)}

    first, second = days[NOON.date()], days[(NOON + DAY).date()]
    assert len(days) == figures.SHOWN_DAYS
    assert (first.placed, first.completed, first.median_seconds) == (4, 1, 0)
    assert (first.returned_orders, first.returned_nanos) == (2, 1_500_000_000)
    assert (second.placed, second.completed, second.median_seconds, second.p90_seconds) == (1, 1, 3_600, 3_600)
    assert (second.returned_orders, second.returned_nanos) == (0, 0)


def test_uptime_of_the_platform_is_of_what_was_measured() -> None:
    assert figures.platform_uptime(now=NOON) is None

    for minute, state in enumerate([State.OPERATIONAL, State.OPERATIONAL, State.DEGRADED, State.MAJOR]):
        with transaction():
            measurements.record(
                [Finding(Component.PLATFORM, state)], interval_seconds=60, now=NOON + minute * timedelta(minutes=1)
            )

    found = figures.platform_uptime(now=NOON + timedelta(minutes=3))
    assert found is not None
    assert (found.uptime.percent, found.measured_days, found.shown_days) == ("75.000", 1, 90)


def test_completion_times_of_a_tool_fall_into_groups_once_there_are_enough() -> None:
    customer, tool = a_customer("1000"), a_tool()
    assert figures.completion_groups(tool.id, now=NOON) is None
    orders = [
        an_order(customer=customer, tool=tool, status=Status.COMPLETED).id for _ in range(delivery_times.MIN_SAMPLE)
    ]
    with transaction():
        for order_id, seconds in zip(orders, (60, 61, 100_000), strict=False):
            later = NOON + timedelta(seconds=seconds)
            db.session.execute(update(Order).where(Order.id == order_id).values(completed_at=later))
    forget()

    groups = figures.completion_groups(tool.id, now=NOON)

    assert groups is not None
    assert [group.orders for group in groups] == [18, 1, 0, 0, 0, 0, 1]
    assert sum(group.orders for group in groups) == delivery_times.MIN_SAMPLE


def test_office_shows_every_figure_as_a_drawing_and_in_a_table(client: FlaskClient) -> None:
    an_order(status=Status.COMPLETED)
    forget()

    page = logged_in(client, an_operator()).get("/office/reports").text

    assert page.count('class="chart__drawing"') == 3
    assert page.count('<tr><th scope="row"') == figures.SHOWN_DAYS
    assert client.application.test_client().get("/office/reports").status_code == 404


def forget() -> None:
    delivery_times.clear_cache()
    timed_cache.clear()
