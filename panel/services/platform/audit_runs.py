"""Scheduled ledger audits: when the next is due, and the result of the last one.

An audit reads all orders, so its interval grows with its duration: at most one percent of the time, and at most once an
hour.
"""

from datetime import datetime, timedelta

from sqlalchemy import delete, select

from panel.db import db
from panel.models import AuditRun
from panel.services.money.audit import Audit

MIN_PAUSE = timedelta(hours=1)
TIMES_ITS_LENGTH = 100
KEPT_FOR = timedelta(days=90)
MAX_DIFFERENCES = 20


def newest(*, now: datetime) -> AuditRun | None:
    """The last audit. One in the future, from a wrong clock, is ignored."""
    return db.session.scalar(select(AuditRun).where(AuditRun.at <= now).order_by(AuditRun.id.desc()).limit(1))


def is_due(*, now: datetime) -> bool:
    """Whether the next audit is due."""
    last = newest(now=now)
    if last is None:
        return True
    pause = max(MIN_PAUSE, timedelta(milliseconds=last.took_ms) * TIMES_ITS_LENGTH)
    return now >= last.at + pause


def record(found: Audit, *, took_ms: int, now: datetime) -> AuditRun:
    """Record the result of an audit, and delete old ones."""
    db.session.execute(delete(AuditRun).where(AuditRun.at < now - KEPT_FOR))
    run = AuditRun(
        at=now,
        took_ms=took_ms,
        orders=found.orders,
        is_sound=found.is_sound,
        differences="\n".join(found.differences[:MAX_DIFFERENCES]),
    )
    db.session.add(run)
    db.session.flush()
    return run
