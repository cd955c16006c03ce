"""Measurements of the probes: one row per round for two days, and seconds per state for each day.

A round covers the time since the previous one. A longer gap counts as an outage of what only the worker keeps going,
and as unknown for the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, insert, select

from panel.db import db, table_of, upsert
from panel.domain.platform.component_states import Finding, State, needs_worker
from panel.domain.platform.uptime_days import SHOWN_DAYS, late_seconds, split
from panel.models import ComponentDay, Measurement

MEASUREMENTS = table_of(Measurement)
DAYS = table_of(ComponentDay)
KEPT_FOR = timedelta(days=2)
DAYS_KEPT_FOR = timedelta(days=400)
MAX_GAP = timedelta(days=SHOWN_DAYS)
MAX_TEXT = 200


@dataclass(frozen=True)
class Gap:
    """A period without measurements."""

    since: datetime
    until: datetime


def newest_at(*, now: datetime) -> datetime | None:
    """Time of the last round. One in the future, from a wrong clock, is ignored."""
    newest: datetime | None = db.session.scalar(select(func.max(MEASUREMENTS.c.at)).where(MEASUREMENTS.c.at <= now))
    return newest


def record(findings: Sequence[Finding], *, interval_seconds: int, now: datetime) -> Gap | None:
    """Record a round and add it to the day; returns the gap before it, if there was one.

    A round right after another one, for example from two workers, is dropped.
    """
    _queue_up()
    db.session.execute(delete(MEASUREMENTS).where(MEASUREMENTS.c.at > now))
    at, before = now.replace(microsecond=0), newest_at(now=now)
    interval = timedelta(seconds=interval_seconds)
    if before is not None and at - before < interval // 2:
        return None
    gap = None
    since = at - interval
    if before is not None:
        if at - before <= timedelta(seconds=late_seconds(interval_seconds)):
            since = before
        else:
            gap = Gap(max(before, at - MAX_GAP), since)
    if gap is not None:
        known = set(db.session.scalars(select(DAYS.c.component).distinct()))
        add_up((key, _while_unmeasured(key), gap.since, gap.until) for key in known)
    rows = [_row(finding, at=at) for finding in findings]
    if rows:
        db.session.execute(insert(MEASUREMENTS), rows)
    add_up((finding.component, finding.state, since, at) for finding in findings)
    _forget(now=now)
    return gap


def _queue_up() -> None:
    # Advisory lock: concurrent rounds must not both count the time since the last one. SQLite has one writer anyway.
    if db.engine.dialect.name == "postgresql":
        db.session.execute(select(func.pg_advisory_xact_lock(func.hashtext(MEASUREMENTS.name))))


def _while_unmeasured(component: str) -> State:
    return State.MAJOR if needs_worker(component) else State.UNKNOWN


def _row(finding: Finding, *, at: datetime) -> dict[str, object]:
    return {
        "component": finding.component,
        "at": at,
        "state": finding.state,
        "value_ms": finding.value_ms,
        "text": finding.text[:MAX_TEXT],
    }


def add_up(stretches: Iterable[tuple[str, State, datetime, datetime]]) -> None:
    """Add each period to the days it covers, always in the same row order, to avoid deadlocks."""
    sums: dict[tuple[str, date], dict[str, int]] = {}
    for component, state, since, until in stretches:
        for day, seconds in split(since, until):
            row = sums.setdefault((component, day), {f"{each}_seconds": 0 for each in State})
            row[f"{state}_seconds"] += seconds
    if not sums:
        return
    add = upsert(DAYS)
    added = {f"{state}_seconds": DAYS.c[f"{state}_seconds"] + add.excluded[f"{state}_seconds"] for state in State}
    statement = add.on_conflict_do_update(index_elements=[DAYS.c.component, DAYS.c.day], set_=added)
    rows = [{"component": component, "day": day, **row} for (component, day), row in sorted(sums.items())]
    db.session.execute(statement, rows)


def _forget(*, now: datetime) -> None:
    db.session.execute(delete(MEASUREMENTS).where(MEASUREMENTS.c.at < now - KEPT_FOR))
    db.session.execute(delete(DAYS).where(DAYS.c.day < (now - DAYS_KEPT_FOR).date()))
