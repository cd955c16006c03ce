"""Phases of incidents and of planned maintenance, and their transitions."""

import re
import unicodedata
from datetime import date
from enum import StrEnum

MAX_SLUG_LENGTH = 60


class Phase(StrEnum):
    """Phase of an incident. Planned maintenance has one phase until it ends; its window says the rest."""

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
        """Whether the transition is allowed: from any open phase to another one or to Resolved, which is final."""
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
    """Slug of the incident's URL: its day, and the ASCII letters and digits of its title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_LENGTH].strip("-")
    return f"{day.isoformat()}-{words or 'incident'}"
