"""Notification kinds, and the channels by which customers get each of them."""

from enum import StrEnum

from panel.domain.status import Status


class Notice(StrEnum):
    """A notification kind. Those about how an order ended have the status as their name."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    CANCELED = "canceled"
    REFILL = "refill"
    TICKET = "ticket"
    DEPOSIT = "deposit"
    TERMS = "terms"
    INCIDENT = "incident"
    ANNOUNCEMENT = "announcement"

    @property
    def label(self) -> str:
        return LABELS[self]


class NoticeChannel(StrEnum):
    """How customers are notified."""

    EMAIL = "email"
    TELEGRAM = "telegram"

    @property
    def label(self) -> str:
        return self.value.capitalize()


ABOUT_ORDERS = (Notice.COMPLETED, Notice.PARTIAL, Notice.CANCELED)
LABELS = {
    **{kind: f"An order is {Status(kind).label}" for kind in ABOUT_ORDERS},
    Notice.REFILL: "A refill has ended",
    Notice.TICKET: "Your ticket is answered",
    Notice.DEPOSIT: "A deposit is confirmed or refused",
    Notice.TERMS: "A tool you use changes its price or terms, or is retired",
    Notice.INCIDENT: "An incident or planned work affects tools you use, and when it is over",
    Notice.ANNOUNCEMENT: "We publish an announcement",
}


def parse_kinds(words: str) -> frozenset[Notice]:
    """Parse space-separated kinds; unknown ones are ignored."""
    return frozenset(kind for kind in Notice if kind in words.split())


def serialize_kinds(kinds: frozenset[Notice]) -> str:
    return " ".join(kind for kind in Notice if kind in kinds)
