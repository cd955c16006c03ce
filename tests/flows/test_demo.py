"""The demo from its command to its last order, with the clock put forward second by second."""

import re
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, OrderEvent, Provider, Refill, Terms, Tool
from panel.providers.simulated import Simulated
from panel.services.money import audit
from panel.services.office import queues
from panel.services.office.queues import LatenessLimits
from panel.services.orders import dispatch, refills, sync
from tests.support import ledger_oracle

A_WHILE_SECONDS = 15 * 60
STEP_SECONDS = 3


def flask(app: Flask, *arguments: str) -> str:
    db.session.rollback()
    ended = app.test_cli_runner().invoke(args=arguments)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def sweep(provider: Simulated, provider_id: int, *, now: datetime) -> None:
    """What the worker's sweeps do, at a moment of our choosing."""
    with transaction():
        taken = dispatch.open_attempts(provider_id, most=10, lease_seconds=60, now=now)
    for assignment in taken:
        with transaction():
            dispatch.record_outcome(assignment.attempt_id, provider.add(assignment.order, now=now), now=now)
    with transaction():
        asked = sync.take_batch(provider_id, again_seconds=1, now=now)
    with transaction():
        sync.apply_reports(asked, provider.status(asked, now=now), now=now)
    for refill_id in refills.due_ids(provider_id, now=now):
        with transaction():
            task = refills.lease_task(refill_id, again_seconds=1, lease_seconds=60, now=now)
        assert task is not None
        with transaction():
            if task.provider_refill_id is None:
                refills.record_outcome(task, provider.refill(task.ask, now=now), now=now)
            else:
                refills.apply_provider_state(task, provider.refill_status(task.provider_refill_id, now=now), now=now)


def run_for_a_while() -> None:
    """Sweep until nothing that the simulator delivers moves any more."""
    row = db.session.scalars(select(Provider).where(Provider.kind == "simulated")).one()
    provider, provider_id, now = Simulated(seed=row.name), row.id, utc_now()
    moving = [status for status in Status if status.is_moving]
    # One has no answer from its provider: it waits for an operator.
    ours = (Order.provider_id == provider_id, Order.unconfirmed_at.is_(None))
    left = select(Order.id).where(*ours, Order.status.in_(moving)).limit(1)
    for _ in range(A_WHILE_SECONDS // STEP_SECONDS):
        now += timedelta(seconds=STEP_SECONDS)
        sweep(provider, provider_id, now=now)
        if db.session.scalar(left) is None:
            return
    raise AssertionError(f"orders of the demo still move after {A_WHILE_SECONDS} seconds")


def ways() -> dict[str, list[tuple[str, datetime]]]:
    """By tool: each status that its orders had, with the time it came after the order was placed."""
    rows = db.session.execute(
        select(Tool.slug, OrderEvent.status, OrderEvent.at)
        .join(Order, Order.tool_id == Tool.id)
        .join(OrderEvent, OrderEvent.order_id == Order.id)
        .where(OrderEvent.kind.in_(["placed", "moved"]))
        .order_by(OrderEvent.id)
    )
    found = defaultdict(list)
    for slug, status, at in rows:
        found[slug].append((status, at))
    return found


def test_demo_has_something_in_the_queues_of_the_office(app: Flask) -> None:
    flask(app, "demo")

    limits = LatenessLimits(dispatch_hours=24, stuck_hours=24, unconfirmed_hours=72)
    waiting = {queue.name for queue in queues.all_queues(limits, now=utc_now()) if queue.count}

    assert waiting == {
        "unconfirmed",
        "late",
        "stalled",
        "reviews",
        "cancellations",
        "refills",
        "tickets",
        "manual",
        "deposits",
    }


@pytest.mark.both_engines
def test_demo_says_how_to_pay_and_keeps_an_operators_own_words(app: Flask) -> None:
    file = app.config["PANEL"].instance / "payment.txt"
    flask(app, "demo")
    first = file.read_text(encoding="utf-8")
    file.write_text("Bank 12", encoding="utf-8")
    flask(app, "demo")

    assert "nothing is paid" in first
    assert file.read_text(encoding="utf-8") == "Bank 12"


def test_demo_goes_through_every_status_and_its_books_are_sound(app: Flask) -> None:
    said = flask(app, "demo")
    assert re.search(r"customer +customer@example\.com +\S{12}", said)

    run_for_a_while()

    by_tool = ways()
    assert {status for way in by_tool.values() for status, _ in way} == set(Status)
    assert db.session.scalars(select(Refill.state)).all() == ["completed"]
    assert audit.audit().differences == ()
    ledger_oracle.assert_consistent()


def test_tools_named_after_their_end_get_there_within_a_minute(app: Flask) -> None:
    flask(app, "demo")

    run_for_a_while()

    for end in (Status.PARTIAL, Status.CANCELED):
        way = ways()[f"always-ends-{end.slug}-demo"]
        assert way[-1][0] == end
        assert way[-1][1] - way[0][1] < timedelta(minutes=1)


def test_second_demo_adds_nothing(app: Flask) -> None:
    flask(app, "demo")
    untouched = ledger_oracle.all_rows()

    said = flask(app, "demo")

    assert said.startswith("There are accounts already: the demo adds nothing.")
    assert ledger_oracle.all_rows() == untouched


def test_no_order_is_older_than_its_terms(app: Flask) -> None:
    flask(app, "demo")

    pairs = db.session.execute(select(Order.placed_at, Terms.since).join(Terms, Terms.id == Order.terms_id)).all()
    assert pairs
    assert all(placed_at >= since for placed_at, since in pairs)
