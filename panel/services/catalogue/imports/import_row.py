"""Effects of an import on a row of a provider's catalogue, with the label of each in the office."""

from enum import StrEnum


class RowKind(StrEnum):
    """The outcome of a row, in the order in which the office lists them."""

    ADDED = "added"
    CHANGED = "changed"
    RENAMED = "renamed"
    # Name and category differ: the id may belong to another service now, so its tool is hidden.
    REPLACED = "replaced"
    RETURNED = "returned"
    VANISHED = "vanished"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def does_something(self) -> bool:
        """Whether importing the row changes what customers see."""
        return self not in (RowKind.UNCHANGED, RowKind.SKIPPED)


_LABELS = {
    RowKind.ADDED: "New",
    RowKind.CHANGED: "Changed",
    RowKind.RENAMED: "Renamed",
    RowKind.REPLACED: "Maybe another service",
    RowKind.RETURNED: "Back again",
    RowKind.VANISHED: "No longer there",
    RowKind.UNCHANGED: "Unchanged",
    RowKind.SKIPPED: "Skipped",
}
