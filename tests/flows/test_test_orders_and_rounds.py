"""Concurrent measurement rounds, and test orders, which office lists leave out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.models import AccountKind, ComponentDay, Measurement
from panel.services import test_orders
from panel.services.office import customers, ledger_filters, ledger_search
from panel.services.platform import canary, measurements
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, an_order

FOUND = [Finding(Component.SITE, State.OPERATIONAL, 12, "It answers.")]


def round_at(seconds: int) -> Callable[[], object]:
    def write() -> object:
        with transaction():
            return measurements.record(FOUND, interval_seconds=60, now=NOON + timedelta(seconds=seconds))

    return write


@pytest.mark.both_engines
def test_two_workers_that_measure_at_once_count_the_time_once(app: Flask) -> None:
    round_at(-60)()

    with transaction():
        measurements.record(FOUND, interval_seconds=60, now=NOON)
        second = start_in_thread(app, round_at(1))
    second.result(10)

    assert db.session.scalar(select(func.sum(ComponentDay.operational_seconds))) == 120
    assert db.session.scalar(select(func.count()).select_from(Measurement)) == 2


def a_test_order() -> None:
    with transaction():
        canary.prepare(key="smm_tests", now=NOON)
    with transaction():
        canary.place(now=NOON)


def test_office_ledger_has_no_lines_of_test_orders_unless_their_customer_is_named() -> None:
    an_order()
    everything = ledger_filters.parse({})
    held = ledger_filters.parse({"account": AccountKind.HOLDS})

    def shown() -> tuple[list[int], list[ledger_search.Sums]]:
        lines = [line.id for line in ledger_search.page(everything).lines]
        return lines, [ledger_search.page(filters).sums for filters in (everything, held)]

    before = shown()
    a_test_order()

    assert shown() == before
    own = db.session.scalar(select(test_orders.customer_id()))
    assert len(ledger_search.page(ledger_filters.parse({"customer": str(own)})).lines) == 2


def test_office_list_of_customers_has_no_test_customer_unless_searched_for() -> None:
    a_test_order()

    assert "canary" not in [row.email for row in customers.search("", after=None).rows]
    assert "canary" in [row.email for row in customers.search("canary", after=None).rows]
