"""The panel's latest test order for visitors: its status, and when each step was reached.

Read at most once a second for all visitors together.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from panel.db import db, timed_cache
from panel.domain.status import Status
from panel.models import Order, Transfer
from panel.services.platform import canary

MAX_AGE = timedelta(seconds=1)
CACHED_AS = "latest test order"
# Reason of the demo's first deposit: its presence means that the orders are made up.
DEMO_DEPOSIT = "deposit:demo"


@dataclass(frozen=True)
class TestOrderStep:
    """A step of a test order; `at` is None until it is reached."""

    label: str
    at: datetime | None


@dataclass(frozen=True)
class LatestTestOrder:
    """The latest test order. `version` and `reached` together change whenever the card does."""

    id: int
    version: int
    status: Status
    placed_at: datetime
    handed_over_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    charge_nanos: int
    returned_nanos: int

    @property
    def steps(self) -> tuple[TestOrderStep, ...]:
        return (
            TestOrderStep("Placed", self.placed_at),
            TestOrderStep("Sent", self.handed_over_at),
            TestOrderStep("Started", self.started_at),
            TestOrderStep("Refunded in full" if self.is_refunded else "Ended", self.ended_at),
        )

    @property
    def reached(self) -> int:
        """Number of steps reached; skipped earlier steps count as reached."""
        return max(number for number, step in enumerate(self.steps, start=1) if step.at is not None)

    @property
    def is_refunded(self) -> bool:
        return self.ended_at is None or self.returned_nanos == self.charge_nanos

    @property
    def took_seconds(self) -> int | None:
        """Seconds from placing to the end."""
        return None if self.ended_at is None else (self.ended_at - self.placed_at) // timedelta(seconds=1)


def read(*, now: datetime) -> LatestTestOrder | None:
    """The latest test order; None before the first."""
    return timed_cache.cached(CACHED_AS, _read, max_age=MAX_AGE, now=now)


def _read() -> LatestTestOrder | None:
    row = canary.newest_order(
        Order.id,
        Order.version,
        Order.status,
        Order.placed_at,
        canary.HANDED_OVER_AT,
        Order.started_at,
        Order.ended_at,
        Order.charge_nanos,
        Order.returned_nanos,
    )
    return None if row is None else LatestTestOrder(row[0], row[1], Status(row[2]), *row[3:])


def is_demo(*, now: datetime) -> bool:
    """Whether the orders are the demo's, so that figures can be labelled as made up."""
    return timed_cache.cached("is demo", _is_demo, max_age=timedelta(minutes=1), now=now)


def _is_demo() -> bool:
    return db.session.scalar(select(Transfer.id).where(Transfer.reason == DEMO_DEPOSIT)) is not None
