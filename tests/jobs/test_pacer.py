"""Pacer: a sweep runs after a commit and when something falls due, and otherwise twice a minute."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs.pacer import QUIET_SECONDS, Pacer, Sweep
from panel.models import Order
from panel.services import due_times, health
from tests.support.factories import NOON, an_order
from tests.support.waiting import until


class StubbedWatch:
    """A watch that says what the test wants."""

    def __init__(self) -> None:
        self.is_new = False

    def has_changed(self) -> bool:
        is_new, self.is_new = self.is_new, False
        return is_new

    def close(self) -> None:
        pass


class Trial:
    """A pacer with a clock that the test sets, and the names of the sweeps that it ran."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *sweeps: Sweep, is_first: bool = True) -> None:
        self.now, self.ran, self.commits = 1_000.0, list[str](), StubbedWatch()
        self.due: datetime | None = None
        monkeypatch.setattr("panel.jobs.pacer.time.monotonic", lambda: self.now)
        self.did_something = False
        self.pacer = Pacer(
            sweeps, run=self._run, commits=self.commits, next_due=lambda _after: self.due, is_first=lambda: is_first
        )

    def _run(self, sweep: Sweep) -> bool:
        self.ran.append(sweep.name)
        return self.did_something

    def looks(self, *, seconds: float) -> list[str]:
        """The sweeps that ran at one look after this time."""
        self.ran.clear()
        self.now += seconds
        self.pacer.look()
        self.pacer._pool.submit(lambda: None).result()
        deadline = time.perf_counter() + 5
        while self.pacer._running and time.perf_counter() < deadline:
            time.sleep(0.001)
        return sorted(self.ran)


def a_sweep(name: str = "dispatch", *, seconds: float = 1, is_shared: bool = True, is_timed: bool = False) -> Sweep:
    return Sweep(name, lambda **_kwargs: 0, seconds, is_shared=is_shared, is_timed=is_timed)


def test_idle_worker_runs_a_sweep_only_twice_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, a_sweep())

    ran = [trial.looks(seconds=1) for _ in range(121)]

    assert ran[0] == ["dispatch"]
    assert sum(map(len, ran)) == 1 + 120 // QUIET_SECONDS


def test_commit_starts_sweeps_but_not_before_their_interval_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, a_sweep(seconds=2))
    trial.looks(seconds=0)

    trial.commits.is_new = True
    ran = [trial.looks(seconds=0.5) for _ in range(6)]

    assert ran == [[], [], [], ["dispatch"], [], []]


def test_row_that_falls_due_starts_sweeps_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, a_sweep())
    trial.looks(seconds=0)
    trial.due = utc_now() - timedelta(milliseconds=1)

    first = trial.looks(seconds=2)
    trial.due = None

    assert first == ["dispatch"]
    assert trial.looks(seconds=2) == []


def test_timed_sweep_runs_at_its_interval_though_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, a_sweep("heartbeat", seconds=10, is_timed=True))

    assert sum(len(trial.looks(seconds=1)) for _ in range(61)) == 7


def test_sweep_that_did_something_runs_again_at_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(monkeypatch, a_sweep(seconds=2))
    trial.did_something = True

    assert [len(trial.looks(seconds=1)) for _ in range(5)] == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(("is_first", "ran"), [(True, ["dispatch", "purge"]), (False, ["dispatch"])])
def test_only_the_first_worker_runs_what_one_is_enough_for(
    monkeypatch: pytest.MonkeyPatch, is_first: bool, ran: list[str]
) -> None:
    trial = Trial(monkeypatch, a_sweep(), a_sweep("purge", is_shared=False), is_first=is_first)

    assert trial.looks(seconds=0) == ran


def test_pacer_goes_on_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(sweep: Sweep) -> bool:
        ran.append(sweep.name)
        return False

    answers: list[Callable[[], bool]] = [lambda: 1 / 0 > 0, lambda: True]
    commits = StubbedWatch()
    monkeypatch.setattr(commits, "has_changed", lambda: answers.pop(0)() if answers else False)
    pacer = Pacer(
        [a_sweep()],
        run=run,
        commits=commits,
        next_due=lambda _after: None,
        is_first=lambda: True,
    )

    pacer.start()

    assert until(lambda: ran == ["dispatch"])
    pacer.stop(within_seconds=2)


@pytest.mark.both_engines
def test_next_due_time_is_the_first_one_after_now(app: Flask) -> None:
    order_id = an_order(now=NOON).id
    with transaction():
        order = db.session.get_one(Order, order_id)
        order.dispatch_at, order.sync_at = NOON - timedelta(seconds=1), NOON + timedelta(seconds=30)

    assert due_times.next_after(NOON) == NOON + timedelta(seconds=30)
    assert due_times.next_after(NOON + timedelta(days=3_000)) is None


@pytest.mark.both_engines
def test_first_worker_is_the_first_by_name_that_was_seen(app: Flask) -> None:
    with transaction():
        health.beat("a-1", now=NOON - timedelta(seconds=health.STALE_SECONDS + 1))
        health.beat("a-once", now=NOON)
        health.beat("b-1", now=NOON)
        health.beat("b-2", now=NOON)

    assert [health.is_first(name, now=NOON) for name in ("b-1", "b-2")] == [True, False]
