"""Announcements: who they are for."""

from enum import StrEnum


class Audience(StrEnum):
    """Who sees an announcement."""

    EVERYONE = "everyone"
    CUSTOMERS = "customers"

    @property
    def label(self) -> str:
        return LABELS[self]


LABELS = {
    Audience.EVERYONE: "Everyone, including visitors",
    Audience.CUSTOMERS: "Logged-in customers",
}
