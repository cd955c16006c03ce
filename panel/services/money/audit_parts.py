"""Parts of an audit: ranges of ids, each read in a snapshot of its own, so that none lasts for minutes."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, func, select

from panel.db import db

IDS_AT_ONCE = 100_000
# A panel whose every line differs must not fill the memory with sentences, nor the stored state of the audit.
MOST_DIFFERENCES = 1_000
AND_MORE = "There are more differences than these."

# Called with what is being read, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


def quietly(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def add_differences(listed: list[str], found: Iterable[str]) -> None:
    """Add sentences to those listed, as long as they aren't too many."""
    for sentence in found:
        if len(listed) >= MOST_DIFFERENCES:
            if listed[-1] != AND_MORE:
                listed.append(AND_MORE)
            return
        listed.append(sentence)


@dataclass(frozen=True, slots=True)
class AuditPart:
    """Ids above `after`, up to `up_to`; the last range has no end, so that new rows are in it."""

    after: int
    up_to: int | None

    def has(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the id is in the range."""
        return column > self.after if self.up_to is None else and_(column > self.after, column <= self.up_to)


def ranges_of(
    table: Table, *, what: str, progress: Progress, first: int = 0, at_once: int | None = None
) -> Iterator[AuditPart]:
    """Ranges that have every row of the table above `first`, also those that are added while it is read."""
    at_once = at_once or IDS_AT_ONCE
    newest: int = db.session.scalar(select(func.max(table.c.id))) or 0
    starts = range(first, max(newest, first + 1), at_once)
    for after in starts:
        progress(what, after, newest)
        yield AuditPart(after, after + at_once if after != starts[-1] else None)
