"""The phases of an incident and of planned work, and which may follow which."""

import re
import unicodedata
from datetime import date
from enum import StrEnum

MOST_SLUG_LENGTH = 60


class Phase(StrEnum):
    """Where the work on an incident stands. Planned work has one phase until it ends; its window says the rest."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    PLANNED = "planned"

    @property
    def label(self) -> str:
        return self.value.capitalize()

    @property
    def means(self) -> str:
        return _MEANS[self]

    @property
    def tone(self) -> str:
        return _TONES[self]

    def may_become(self, next_phase: "Phase") -> bool:
        """An open incident may move to any open phase or be resolved. Resolved is final."""
        if self is Phase.RESOLVED:
            return False
        if self is Phase.PLANNED:
            return next_phase in (Phase.PLANNED, Phase.RESOLVED)
        return next_phase is not Phase.PLANNED


_MEANS = {
    Phase.INVESTIGATING: "We know that something is wrong and look for the cause.",
    Phase.IDENTIFIED: "We know the cause and work on it.",
    Phase.MONITORING: "It works again, and we watch whether it stays so.",
    Phase.RESOLVED: "It is over.",
    Phase.PLANNED: "Work that we announce before we begin it.",
}
_TONES = {
    Phase.INVESTIGATING: "canceled",
    Phase.IDENTIFIED: "partial",
    Phase.MONITORING: "progress",
    Phase.RESOLVED: "completed",
    Phase.PLANNED: "processing",
}

OPEN_PHASES = (Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.MONITORING)


def slug_of(title: str, *, day: date) -> str:
    """The address of an incident: its day, and what of the title is plain letters and digits."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MOST_SLUG_LENGTH].strip("-")
    return f"{day.isoformat()}-{words or 'incident'}"
