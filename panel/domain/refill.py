"""Refill window, and the states of a refill."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from panel.domain.status import Status


class RefillState(StrEnum):
    """A refill's states: requested → running → completed | refused."""

    REQUESTED = "requested"
    RUNNING = "running"
    COMPLETED = "completed"
    REFUSED = "refused"

    @property
    def is_open(self) -> bool:
        return self in (RefillState.REQUESTED, RefillState.RUNNING)

    @property
    def api_word(self) -> str:
        return _API_WORDS[self]

    @property
    def label(self) -> str:
        return self.value.capitalize()


_API_WORDS = {
    RefillState.REQUESTED: "Pending",
    RefillState.RUNNING: "In progress",
    RefillState.COMPLETED: "Completed",
    RefillState.REFUSED: "Rejected",
}

# Providers' words for a refill's state, in lower case.
REPORTED_STATES = {word.lower(): state for state, word in _API_WORDS.items()} | {
    "inprogress": RefillState.RUNNING,
    "processing": RefillState.RUNNING,
    "canceled": RefillState.REFUSED,
    "cancelled": RefillState.REFUSED,
}


def window_ends(*, completed_at: datetime, refill_days: int) -> datetime:
    """The end of the refill window, counted from the first Completed."""
    return completed_at.astimezone(UTC) + timedelta(days=refill_days)


def why_not(
    *, status: Status, refill_days: int | None, completed_at: datetime | None, is_open: bool, now: datetime
) -> str | None:
    """Why a refill can't be requested now, as a sentence for the customer; None if it can."""
    if refill_days is None:
        return "This tool does not offer refill."
    if is_open or status is Status.REFILL:
        return "A refill of this order is already running."
    if status in (Status.PARTIAL, Status.CANCELED):
        return f"The order has ended as {status.label}. Refill is for orders that were Completed."
    if status is not Status.COMPLETED or completed_at is None:
        return "A refill can be requested once the order is Completed."
    end = window_ends(completed_at=completed_at, refill_days=refill_days)
    if now > end:
        days = (now - completed_at).days
        return f"Refill was offered until {end.day} {end:%B %Y}; this order completed {_days(days)} ago."
    return None


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
