"""Order statuses and their transitions, the single source for both (DESIGN §3).

Everything about statuses is read from here: the database's CHECK, badges, filters, help pages, the lifecycle diagram,
the API's words and the stylesheet's tones. Don't write one of these facts a second time;
`tests/rules/test_status_readers.py` checks each reader.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The seven order statuses, in the order in which a customer meets them."""

    PENDING = "pending"
    PROCESSING = "processing"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    PARTIAL = "partial"
    CANCELED = "canceled"
    REFILL = "refill"

    @property
    def facts(self) -> "StatusFacts":
        return FACTS[self]

    @property
    def label(self) -> str:
        return FACTS[self].label

    @property
    def slug(self) -> str:
        """The status in URLs: `in-progress`."""
        return self.value.replace("_", "-")

    @property
    def api_word(self) -> str:
        """The status in the resellers' API, which has six: an order in Refill is Completed there."""
        return Status.COMPLETED.label if self is Status.REFILL else self.label

    @property
    def is_open(self) -> bool:
        """Whether money is on hold for an order in this status."""
        return FACTS[self].money is ChargeState.HELD

    @property
    def is_moving(self) -> bool:
        """Whether the order can still change without the customer doing anything."""
        return self.is_open or self is Status.REFILL

    @property
    def is_final(self) -> bool:
        return not FACTS[self].next

    def may_become(self, to: "Status") -> bool:
        return to in FACTS[self].next

    def is_behind(self, other: "Status") -> bool:
        """Whether this status comes before the other one in a normal delivery."""
        return USUAL_PATH.index(self) < USUAL_PATH.index(other)


class ChargeState(StrEnum):
    """Where the charge of an order is, given its status."""

    HELD = "held"
    KEPT = "kept"
    SPLIT = "split"
    RETURNED = "returned"


@dataclass(frozen=True)
class StatusFacts:
    """Facts about all orders in a status."""

    label: str
    tone: str
    money: ChargeState
    means: str
    you_do: str
    money_words: str
    next: tuple[Status, ...]


S = Status

FACTS: dict[Status, StatusFacts] = {
    S.PENDING: StatusFacts(
        label="Pending",
        tone="pending",
        money=ChargeState.HELD,
        means="Received and in the queue. Not started yet.",
        you_do="You don’t need to do anything. It moves on when it is picked up.",
        money_words="Charged and held for this order.",
        next=(S.PROCESSING, S.IN_PROGRESS, S.COMPLETED, S.PARTIAL, S.CANCELED),
    ),
    S.PROCESSING: StatusFacts(
        label="Processing",
        tone="processing",
        money=ChargeState.HELD,
        means="Being set up to start. The count hasn’t moved yet.",
        you_do="You don’t need to do anything. Give it a little time, and keep the link public.",
        money_words="Held for this order.",
        next=(S.IN_PROGRESS, S.COMPLETED, S.PARTIAL, S.CANCELED),
    ),
    S.IN_PROGRESS: StatusFacts(
        label="In progress",
        tone="progress",
        money=ChargeState.HELD,
        means="Being delivered. The count moves.",
        you_do="You don’t need to do anything. You can watch the count in your orders.",
        money_words="Held for this order.",
        next=(S.COMPLETED, S.PARTIAL, S.CANCELED),
    ),
    S.COMPLETED: StatusFacts(
        label="Completed",
        tone="completed",
        money=ChargeState.KEPT,
        means="The full quantity was delivered.",
        you_do="You don’t need to do anything. If the count drops later, request a refill where the tool offers it.",
        money_words="Kept in full, because everything was delivered.",
        next=(S.REFILL,),
    ),
    S.PARTIAL: StatusFacts(
        label="Partial",
        tone="partial",
        money=ChargeState.SPLIT,
        means="Part of it was delivered. The rest could not be.",
        you_do="You don’t need to do anything. Order the rest again if you like.",
        money_words="You pay for the delivered part. The rest went back to your balance automatically.",
        next=(),
    ),
    S.CANCELED: StatusFacts(
        label="Canceled",
        tone="canceled",
        money=ChargeState.RETURNED,
        means="It did not run. Usually the link isn’t public or has the wrong format.",
        you_do="Check the link and the tool, then order again.",
        money_words="The whole amount went back to your balance automatically.",
        next=(),
    ),
    S.REFILL: StatusFacts(
        label="Refill",
        tone="refill",
        money=ChargeState.KEPT,
        means="What dropped after delivery is being delivered again, within the tool’s terms.",
        you_do="You don’t need to do anything. The order is Completed again when the refill ends.",
        money_words="Nothing is charged for the refill.",
        next=(S.COMPLETED,),
    ),
}

USUAL_PATH: tuple[Status, ...] = (S.PENDING, S.PROCESSING, S.IN_PROGRESS, S.COMPLETED)

FIRST = Status.PENDING


def possible_sources(status: Status) -> tuple[Status, ...]:
    """The statuses from which an order can move to this one."""
    return tuple(before for before in Status if before.may_become(status))


def from_slug(slug: str) -> Status | None:
    """The status with this slug, or None."""
    return next((status for status in Status if status.slug == slug), None)
