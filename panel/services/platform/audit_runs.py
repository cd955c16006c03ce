"""The worker's own audits: when the next is due, and what the last one found.

An audit reads every order, so it comes the more seldom the longer it takes: it never runs more than one hundredth
of the time, and at most once an hour.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from panel.db import db
from panel.models import AuditRun
from panel.services.money.audit import Audit

LEAST_PAUSE = timedelta(hours=1)
TIMES_ITS_LENGTH = 100
KEPT_FOR = timedelta(days=90)
MOST_DIFFERENCES = 20


def newest(*, now: datetime) -> AuditRun | None:
    """The last audit. One that is still to come, by a clock that was wrong, says nothing."""
    return db.session.scalar(select(AuditRun).where(AuditRun.at <= now).order_by(AuditRun.id.desc()).limit(1))


def is_due(*, now: datetime) -> bool:
    """Whether it is time for another."""
    last = newest(now=now)
    if last is None:
        return True
    pause = max(LEAST_PAUSE, timedelta(milliseconds=last.took_ms) * TIMES_ITS_LENGTH)
    return now >= last.at + pause


def record(found: Audit, *, took_ms: int, now: datetime) -> AuditRun:
    """Write down what an audit found, and forget those of long ago."""
    db.session.execute(delete(AuditRun).where(AuditRun.at < now - KEPT_FOR))
    run = AuditRun(
        at=now,
        took_ms=took_ms,
        orders=found.orders,
        is_sound=found.is_sound,
        differences="\n".join(found.differences[:MOST_DIFFERENCES]),
    )
    db.session.add(run)
    db.session.flush()
    return run
