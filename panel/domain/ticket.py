"""Tickets: kinds, states with who must act next, and validation of subject and text."""

import re
import unicodedata
from enum import StrEnum

from panel.domain.errors import BadInput

MAX_SUBJECT_LENGTH = 120
MAX_TEXT_LENGTH = 5_000

# Bidirectional control characters. They are rejected because a subject is embedded in our own sentences.
_TURNS_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINE_ENDS = re.compile(r"\r\n?")


class TicketKind(StrEnum):
    """Topic of a ticket, chosen by its customer."""

    ORDER = "order"
    MONEY = "money"
    ACCOUNT = "account"
    OTHER = "other"

    @property
    def label(self) -> str:
        return _KIND_LABELS[self]


class TicketState(StrEnum):
    """Who must act next. The labels are for customers; the office has its own."""

    WAITING_FOR_US = "waiting_for_us"
    WAITING_FOR_YOU = "waiting_for_you"
    CLOSED = "closed"

    @property
    def is_open(self) -> bool:
        return self is not TicketState.CLOSED

    @property
    def slug(self) -> str:
        return self.value.replace("_", "-")

    @property
    def label(self) -> str:
        return _STATE_LABELS[self]

    @property
    def who_acts(self) -> str:
        """What happens next, for the customer."""
        return _WHO_ACTS[self]

    @property
    def office_label(self) -> str:
        return _OFFICE_LABELS[self]


class EntryKind(StrEnum):
    """Kind of thread entry. Notes are internal and never shown to customers."""

    MESSAGE = "message"
    NOTE = "note"
    CLOSED = "closed"
    REOPENED = "reopened"


_KIND_LABELS = {
    TicketKind.ORDER: "An order",
    TicketKind.MONEY: "Money",
    TicketKind.ACCOUNT: "Your account",
    TicketKind.OTHER: "Something else",
}
_STATE_LABELS = {
    TicketState.WAITING_FOR_US: "Waiting for us",
    TicketState.WAITING_FOR_YOU: "Waiting for you",
    TicketState.CLOSED: "Closed",
}
_WHO_ACTS = {
    TicketState.WAITING_FOR_US: "We answer next.",
    TicketState.WAITING_FOR_YOU: "We have answered. Write back, or close the ticket.",
    TicketState.CLOSED: "There is nothing left to do.",
}
_OFFICE_LABELS = {
    TicketState.WAITING_FOR_US: "Waiting for us",
    TicketState.WAITING_FOR_YOU: "Waiting for the customer",
    TicketState.CLOSED: "Closed",
}


def checked_subject(typed: str) -> str:
    """Validate the subject: one line without control characters. Raises BadInput."""
    subject = typed.strip()
    if not subject:
        raise BadInput("The subject is missing. Say in a few words what it is about.", field="subject")
    if len(subject) > MAX_SUBJECT_LENGTH:
        raise BadInput(
            f"The subject has {len(subject):,} characters. It may have at most {MAX_SUBJECT_LENGTH}.", field="subject"
        )
    if any(_is_control(sign) or sign in _TURNS_DIRECTION for sign in subject):
        raise BadInput(
            "The subject holds a line break or a sign that cannot be seen. Type it again as one plain line.",
            field="subject",
        )
    return subject


def checked_text(typed: str, *, field: str = "text") -> str:
    """Validate the text and normalize its line endings. Raises BadInput with the field."""
    text = _LINE_ENDS.sub("\n", typed).strip()
    if not text:
        raise BadInput("The text is missing. Write at least a few words.", field=field)
    if len(text) > MAX_TEXT_LENGTH:
        raise BadInput(
            f"The text has {len(text):,} characters. It may have at most {MAX_TEXT_LENGTH:,}: shorten it, "
            "or send the rest as a second message.",
            field=field,
        )
    if any(_is_control(sign) and sign not in "\n\t" for sign in text):
        raise BadInput(
            "The text holds a control sign that cannot be kept, such as one copied from a terminal or a file. "
            "Remove it, or type the text again.",
            field=field,
        )
    return text


def _is_control(sign: str) -> bool:
    """Whether this is a control character, a line separator, or half of a surrogate pair."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")
