"""The panel's latest test order for visitors: its status, and when each step was reached.

Pages that show it listen to the push hub, so it is read each time: what the hub announced must be in the answer.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from panel.assets.build_id import digest
from panel.db import db, timed_cache
from panel.domain.status import Status
from panel.models import Order, Transfer
from panel.services.platform import canary

# What the version is made of, without datetimes, which a reader can't return.
VERSION = canary.newest_orders(
    Order.id,
    Order.version,
    canary.HANDED_OVER_AT.is_not(None),
    Order.started_at.is_not(None),
    Order.ended_at.is_not(None),
)
# Reason of the demo's first deposit: its presence means that the orders are made up.
DEMO_DEPOSIT = "deposit:demo"


@dataclass(frozen=True)
class TestOrderStep:
    """A step of a test order; `at` is None until it is reached."""

    label: str
    at: datetime | None


@dataclass(frozen=True)
class LatestTestOrder:
    """The latest test order."""

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
        return _reached(*(step.at is not None for step in self.steps[1:]))

    @property
    def shown(self) -> str:
        """The version of what the card shows."""
        return version_of(self.id, self.version, *(step.at is not None for step in self.steps[1:]))

    @property
    def is_refunded(self) -> bool:
        return self.ended_at is None or self.returned_nanos == self.charge_nanos

    @property
    def took_seconds(self) -> int | None:
        """Seconds from placing to the end."""
        return None if self.ended_at is None else (self.ended_at - self.placed_at) // timedelta(seconds=1)


def version_of(order_id: int, version: int, is_sent: bool, has_started: bool, has_ended: bool) -> str:
    """The version of what is shown, which open pages listen for; from a row of VERSION."""
    shown = f"{digest()}|{order_id}|{version}|{_reached(is_sent, has_started, has_ended)}"
    return hashlib.blake2b(shown.encode(), digest_size=16).hexdigest()


def _reached(*later_steps: bool) -> int:
    return max(number for number, is_reached in enumerate((True, *later_steps), start=1) if is_reached)


def read() -> LatestTestOrder | None:
    """The latest test order; None before the first."""
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
