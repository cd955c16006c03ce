"""Provider kinds: who delivers, with the label of each in the office."""

from enum import StrEnum


class ProviderKind(StrEnum):
    """A provider's kind: another panel over its API, operators by hand, or the built-in simulator."""

    PANEL_API = "panel_api"
    MANUAL = "manual"
    SIMULATED = "simulated"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    ProviderKind.PANEL_API: "Another panel, over its API",
    ProviderKind.MANUAL: "Operators, by hand",
    ProviderKind.SIMULATED: "The simulator",
}
