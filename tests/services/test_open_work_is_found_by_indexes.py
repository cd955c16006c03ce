"""Query plans: frequent queries of sweeps and the office never scan all orders, attempts or refills."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from panel.db import current_connection, db, transaction
from panel.services.office import queues, review_list
from panel.services.office.queue_counts import LatenessLimits
from panel.services.orders import cancellations, dispatch, rechecks, refill_endings, refills, timeouts
from tests.support.factories import NOON, an_order

LIMITS = LatenessLimits(dispatch_hours=24, stuck_hours=24, unconfirmed_hours=72)
LATER = NOON + timedelta(days=10)

ASKED: dict[str, Callable[[], Any]] = {
    "vanished callers": lambda: timeouts.expire_leases(now=LATER),
    "orders to give up": lambda: timeouts.give_up(unconfirmed_hours=1_000, dispatch_hours=1_000, now=LATER),
    "refills to give up": lambda: timeouts.expire_refills(unconfirmed_hours=1_000, now=LATER),
    "slow refills": lambda: timeouts.review_slow_refills(unconfirmed_hours=1_000, now=LATER),
    "ended orders to ask about": lambda: rechecks.providers_with_work(now=LATER),
    "a batch of ended orders": lambda: rechecks.take_batch(1, now=LATER),
    "customers' turns": lambda: dispatch.open_attempts(1, most=1, lease_seconds=60, now=LATER),
    "refills due": lambda: [*refills.providers_with_work(now=LATER), *refills.due_ids(1, now=LATER)],
    "stops due": lambda: [*cancellations.providers_with_work(now=LATER), *cancellations.due_ids(1, now=LATER)],
    "open refills": refill_endings.open_refills,
    "open reviews by kind": review_list.counts,
    "a page of open reviews": lambda: review_list.open_page(unconfirmed_hours=1_000, now=LATER),
    "the office's queues": lambda: queues.all_queues(LIMITS, now=LATER),
}


def plans_of(call: Callable[[], Any]) -> list[str]:
    """SQLite's query plan for each statement that this runs, through the session or compiled."""
    asked: list[str] = []
    with transaction():
        connection: Any = current_connection().connection.driver_connection
        connection.set_trace_callback(asked.append)
        try:
            call()
        finally:
            connection.set_trace_callback(None)
    with db.engine.connect() as reading:
        return [
            row[3]
            for statement in asked
            if statement.startswith("SELECT")
            for row in reading.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")
        ]


@pytest.mark.parametrize("what", ASKED)
def test_open_work_is_found_without_what_has_ended(what: str) -> None:
    an_order()

    plans = plans_of(ASKED[what])

    whole = {f"SCAN {table}" for table in ("orders", "attempts", "refills", "cancellations", "events", "reviews")}
    covering = {f"{scan} USING COVERING INDEX ix_orders_by_status" for scan in whole}
    assert plans
    # The newest event alone is read backwards by its number, which SQLite calls a scan as well.
    newest = {"SCAN events"} if what == "the office's queues" else set()
    assert not ((whole | covering) - newest) & set(plans)
