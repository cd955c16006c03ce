"""Providers: one door to each kind."""

from panel.providers.base import Provider
from panel.providers.simulated import Simulated

MANUAL = "manual"


def connect(kind: str, *, name: str) -> Provider | None:
    """The provider to call, or None for orders that operators fulfil by hand."""
    match kind:
        case "simulated":
            return Simulated(seed=name)
        case "manual":
            return None
        case _:
            raise ValueError(f"unknown provider kind {kind!r}")
