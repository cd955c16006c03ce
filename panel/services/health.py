"""Health checks, and the metrics of `/metrics`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from panel.db import WRITES, db, schema_check, table_of, timed_cache, upsert
from panel.domain.status import Status
from panel.models import IS_NOT_COMPLETED, Heartbeat, Order, OrderCount, Review
from panel.services import test_orders
from panel.services.mail import outbox as mail_outbox

BEAT_SECONDS = 15
# Three missed heartbeats.
STALE_SECONDS = 3 * BEAT_SECONDS
FORGOTTEN_SECONDS = 24 * 3600
# Allowed difference between the clocks of two machines, for heartbeats that seem to be in the future.
AHEAD = timedelta(seconds=10)
# End of the name of a single run (`flask worker --once`), which is no worker that stays.
SINGLE_RUN = "-once"
ENDED_MAX_AGE = timedelta(minutes=10)
_ENDED = [status for status in Status if not status.is_moving]
_MAY_CHANGE = [status for status in Status if status.is_moving]


@dataclass(frozen=True)
class Numbers:
    """Values for `/metrics`. Ages are None if there is nothing to measure."""

    orders_by_status: dict[Status, int]
    open_reviews: int
    oldest_pending_seconds: float | None
    heartbeat_age_seconds: float | None
    mails_waiting: int
    oldest_mail_seconds: float | None
    mails_given_up: int


def beat(worker: str, *, now: datetime) -> None:
    """Record the worker's heartbeat. Single runs on one machine share a name."""
    note = upsert(table_of(Heartbeat)).values(worker=worker, at=now)
    db.session.execute(note.on_conflict_do_update(index_elements=[Heartbeat.worker], set_={"at": note.excluded.at}))


def forget_workers(*, before: datetime) -> int:
    """Delete workers not seen since. Returns how many."""
    gone = db.session.execute(delete(Heartbeat).where(Heartbeat.at < before).returning(Heartbeat.worker))
    return len(gone.all())


def problems(*, migrations: Path, now: datetime) -> list[str]:
    """Health problems, each in a few words; empty if there are none."""
    if not can_write():
        return ["database"]
    if not schema_check.is_migrated(migrations):
        return ["migrations"]
    age = heartbeat_age_seconds(now=now)
    return ["worker"] if age is None or age > STALE_SECONDS else []


def can_write() -> bool:
    """Acquire the database's write lock, and release it without writing."""
    try:
        with db.engine.connect().execution_options(**{WRITES: True}) as connection:
            if db.engine.dialect.name == "postgresql":
                # A standby accepts reads and rejects writes.
                return connection.scalar(text("SELECT NOT pg_is_in_recovery()")) is True
            connection.execute(text("SELECT 1"))
            connection.rollback()
    except SQLAlchemyError:
        return False
    return True


def is_first(worker: str, *, now: datetime) -> bool:
    """Whether this worker does what one of them is enough for: of those with a heartbeat, the first by name.

    Two may think so for a moment, when one was not seen for a while: what they do is safe to repeat.
    """
    seen = (Heartbeat.at > now - timedelta(seconds=STALE_SECONDS), Heartbeat.at <= now + AHEAD)
    stays = Heartbeat.worker.not_like(f"%{SINGLE_RUN}")
    first = db.session.scalar(select(func.min(Heartbeat.worker)).where(*seen, stays))
    return first is None or worker <= first


def newest_heartbeat() -> datetime | None:
    """The newest stored heartbeat, even one in the future."""
    newest: datetime | None = db.session.scalar(select(func.max(Heartbeat.at)))
    return newest


def heartbeat_age_seconds(*, now: datetime) -> float | None:
    """Age of the newest heartbeat. One in the future is ignored, since the clock was wrong."""
    seen = db.session.scalar(select(func.max(Heartbeat.at)).where(Heartbeat.at <= now + AHEAD))
    return max((now - seen).total_seconds(), 0.0) if seen is not None else None


def numbers(*, now: datetime) -> Numbers:
    """Collect the metrics with one short query each. Ended orders, which only grow, are counted every ten minutes."""
    ended = timed_cache.cached("ended orders", _ended_orders, max_age=ENDED_MAX_AGE, now=now)
    counted = ended | _orders_that_may_change()
    oldest = db.session.scalar(
        # The next run of a drip-feed has its time to come.
        select(Order.placed_at)
        .where(IS_NOT_COMPLETED, Order.status == Status.PENDING, Order.dispatch_at <= now + timedelta(minutes=10))
        .order_by(Order.id)
        .limit(1)
    )
    outbox = mail_outbox.outbox(given_up_since=now - timedelta(days=1))
    return Numbers(
        orders_by_status={status: counted.get(status, 0) for status in Status},
        open_reviews=db.session.scalar(select(func.count()).where(Review.resolved_at.is_(None))) or 0,
        oldest_pending_seconds=max((now - oldest).total_seconds(), 0.0) if oldest is not None else None,
        heartbeat_age_seconds=heartbeat_age_seconds(now=now),
        mails_waiting=outbox.waiting,
        oldest_mail_seconds=(
            max((now - outbox.oldest_at).total_seconds(), 0.0) if outbox.oldest_at is not None else None
        ),
        mails_given_up=outbox.given_up,
    )


def _orders_that_may_change() -> dict[Status, int]:
    """Customers' orders in statuses that don't end them, by an index that leaves completed ones out."""
    is_one = (IS_NOT_COMPLETED, Order.status.in_(_MAY_CHANGE), test_orders.is_real(Order.customer_id))
    rows = db.session.execute(select(Order.status, func.count()).where(*is_one).group_by(Order.status))
    return {Status(status): count for status, count in rows}


def _ended_orders() -> dict[Status, int]:
    """Customers' ended orders, from the counters of each customer."""
    is_one = (OrderCount.status.in_(_ENDED), test_orders.is_real(OrderCount.customer_id))
    rows = db.session.execute(
        select(OrderCount.status, func.sum(OrderCount.orders)).where(*is_one).group_by(OrderCount.status)
    )
    return {Status(status): int(orders) for status, orders in rows}
