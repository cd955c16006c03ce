"""Time rules that move money: a cap for each hour, and a stop where the clock can't be right."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from panel import clock
from panel.clock import ClockSteps, utc_now
from panel.db import db, transaction
from panel.domain.errors import BadInput
from panel.domain.status import Status
from panel.jobs import clocks, provider_calls, timeouts
from panel.models import AuditLogEntry, Heartbeat, Order, Provider, User
from panel.services import health
from panel.services.money import audit, ledger
from panel.services.orders import time_rules
from panel.services.orders import timeouts as rules
from tests.support.factories import a_customer, a_tool, an_order
from tests.support.upstream import open_reviews

DAY = timedelta(days=1)
SetClock = Callable[[timedelta], None]


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Set the sweep's clock this far ahead of the machine's."""

    def set_ahead(by: timedelta) -> None:
        for module in (clocks, timeouts):
            monkeypatch.setattr(module, "utc_now", lambda: utc_now() + by)

    return set_ahead


def waiting_orders(count: int, *, at: datetime | None = None) -> User:
    customer, tool = a_customer("1000"), a_tool()
    for _ in range(count):
        an_order(customer=customer, tool=tool, quantity=10, now=at or utc_now())
    return customer


def canceled() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Order.status == Status.CANCELED)) or 0


def swept(times: int = 3) -> int:
    for _ in range(times):
        timeouts.sweep(worker="here")
    return canceled()


def resume(reason: str = "Looked at the clock.") -> None:
    settings = provider_calls.panel_settings()
    with transaction():
        due = rules.due(
            unconfirmed_hours=settings.unconfirmed_hours,
            dispatch_hours=settings.dispatch_hours,
            now=timeouts.utc_now(),  # type: ignore[attr-defined]
        )
        time_rules.resume(waiting=due.count, reason=reason, actor="anna", now=timeouts.utc_now())  # type: ignore[attr-defined]


@pytest.mark.both_engines
def test_clock_far_ahead_cancels_no_more_than_the_cap_and_then_asks(ahead: SetClock) -> None:
    waiting_orders(150)
    ahead(400 * DAY)

    assert swept() == 20

    [review] = open_reviews("time_rules")
    assert "130 wait" in review.text and "/office/time-rules" in review.text
    assert swept() == 20
    assert len(open_reviews("time_rules")) == 1
    assert audit.audit().is_sound


@pytest.mark.both_engines
def test_operator_lets_them_go_on_and_the_rest_is_canceled(ahead: SetClock) -> None:
    waiting_orders(45)
    ahead(2 * DAY)
    assert swept() == 20

    resume()

    assert swept() == 45
    assert open_reviews("time_rules") == []
    [line] = db.session.execute(
        select(AuditLogEntry.action, AuditLogEntry.detail).where(AuditLogEntry.action == "time-rules resume")
    )
    assert line == ("time-rules resume", "25 due: Looked at the clock.")
    with pytest.raises(BadInput):
        resume(" ")


def test_cap_resets_with_the_next_hour_only_if_no_approval_was_needed(ahead: SetClock) -> None:
    waiting_orders(20)
    ahead(2 * DAY)
    assert swept() == 20
    assert open_reviews("time_rules") == []

    waiting_orders(5, at=utc_now())
    assert swept() == 20
    assert len(open_reviews("time_rules")) == 1
    ahead(2 * DAY + timedelta(hours=2))
    assert swept() == 20

    resume()
    assert swept() == 25


def test_next_hour_has_a_cap_of_its_own(ahead: SetClock) -> None:
    waiting_orders(20)
    ahead(2 * DAY)
    assert swept() == 20

    ahead(2 * DAY + timedelta(minutes=61))
    waiting_orders(20)
    assert swept() == 40


def test_share_of_the_open_orders_counts_where_it_is_more(ahead: SetClock) -> None:
    settings = provider_calls.panel_settings()
    cap = time_rules.Cap(2, 10)
    waiting_orders(50)

    assert time_rules.cap_now(cap) == 5
    assert time_rules.cap_now(time_rules.Cap(20, 5)) == 20
    assert (settings.time_rule_orders_an_hour, settings.time_rule_percent_an_hour) == (20, 5)


@pytest.mark.both_engines
def test_clock_jump_since_the_last_heartbeat_stops_all_timeouts(ahead: SetClock) -> None:
    waiting_orders(30)
    with transaction():
        health.beat("here", now=utc_now())
    ahead(400 * DAY)

    assert swept() == 0

    [review] = open_reviews("time_rules")
    assert "No worker was seen for 400 days" in review.text
    resume()
    assert swept() == 30


def test_clock_that_is_set_forward_while_a_worker_runs_stops_them_all(
    ahead: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting_orders(3)
    ahead(2 * DAY)

    class Stepped:
        steps = [2 * DAY, None, None, None, None, None]

        @contextmanager
        def handling(self) -> Iterator[timedelta | None]:
            yield self.steps.pop(0)

    monkeypatch.setattr(clocks, "clock_steps", Stepped())

    assert swept() == 0
    [review] = open_reviews("time_rules")
    assert "set forward by 2 days while the panel ran" in review.text


def test_step_of_the_clock_that_met_a_database_error_stops_them_at_the_next_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps, hold, tries = ClockSteps(least=clocks.MIN_STEP), time_rules.hold_for_clock, list[str]()

    def fail_once(why: str, *, now: datetime) -> None:
        tries.append(why)
        if len(tries) == 1:
            raise OSError("database is locked")
        hold(why, now=now)

    monkeypatch.setattr(clocks, "clock_steps", steps)
    monkeypatch.setattr(time_rules, "hold_for_clock", fail_once)
    monkeypatch.setattr(clock, "utc_now", lambda: datetime.now(UTC) + 3 * DAY)
    with pytest.raises(OSError, match="locked"):
        clocks.check_clock()

    clocks.check_clock()

    assert tries == ["The clock was set forward by 3 days while the panel ran."] * 2


def test_day_without_a_worker_is_a_panel_that_was_off(ahead: SetClock) -> None:
    waiting_orders(3)
    with transaction():
        health.beat("here", now=utc_now())
    ahead(timedelta(hours=25))

    assert swept() == 3


def test_newest_record_that_is_still_to_come_stops_them_all() -> None:
    waiting_orders(3, at=utc_now() - 3 * DAY)
    late = an_order(now=utc_now() + timedelta(hours=1))

    assert swept() == 0

    [review] = open_reviews("time_rules")
    assert "still to come" in review.text
    resume()
    assert swept() == 3
    assert db.session.get_one(Order, late.id).status == Status.PENDING


def test_hold_for_a_future_record_ends_when_its_time_has_come(ahead: SetClock) -> None:
    waiting_orders(3, at=utc_now() - 3 * DAY)
    an_order(now=utc_now() + timedelta(hours=1))
    assert swept() == 0

    ahead(timedelta(hours=1))
    assert swept() == 3


def test_few_that_are_due_on_an_ordinary_day_are_canceled_as_ever() -> None:
    customer = waiting_orders(3, at=utc_now() - 3 * DAY)

    assert swept() == 3
    assert open_reviews("time_rules") == []
    assert ledger.balance_nanos(customer.id) == 1_000 * 10**9


@pytest.mark.both_engines
def test_clock_that_was_set_back_leaves_nothing_waiting_for_as_long() -> None:
    order = an_order(now=utc_now())
    with transaction():
        health.beat("elsewhere", now=utc_now() + 2 * DAY)
        db.session.execute(update(Order).values(dispatch_at=utc_now() + 2 * DAY))
        db.session.execute(update(Provider).values(call_after=utc_now() + 2 * DAY))

    clocks.check_clock()

    db.session.rollback()
    soon = utc_now() + timedelta(minutes=2)
    due = db.session.scalars(select(Order.dispatch_at).where(Order.id == order.id)).one()
    wait = db.session.scalars(select(Provider.call_after).where(Provider.id == order.provider_id)).one()
    assert due is not None and due < soon
    assert wait is not None and wait < soon
    assert db.session.scalars(select(Heartbeat.worker)).all() == []
