"""Search of the audit log: who did what, to what, when and why. Read-only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select

from panel.db import db, table_of
from panel.db.id_search import ids_within, newest_id
from panel.domain import audit_actions
from panel.domain.lists.list_filters import BadFilters, DaysAndPage, days_of, is_row_number
from panel.models import AuditLogEntry

PAGE_SIZE = 50
BATCH_SIZE = 1_000
MAX_WORDS_LENGTH = 254
# Actors, actions and details are searched in this many of the newest lines (of the days).
SEARCHED_LINES = 20_000
WORDS = ("actor", "action", "subject", "detail")


LOG = table_of(AuditLogEntry)


@dataclass(frozen=True, slots=True)
class AuditLogFilters(DaysAndPage):
    """Filters of the log, and its pagination cursor `after`. A subject must match in full, the rest in part."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    detail: str = ""

    def named(self) -> Iterable[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in WORDS]


@dataclass(frozen=True, slots=True)
class AuditLogPage:
    """Log lines, newest first, the cursor of the next page, and whether only the newest lines were searched."""

    lines: Sequence[AuditLogEntry]
    next_after: int | None
    is_part: bool


def parse(given: Mapping[str, str]) -> AuditLogFilters:
    """Parse the query string; empty values are ignored. Raises BadFilters with a message for each invalid field."""
    errors: dict[str, str] = {}
    words = {name: given.get(name, "").strip() for name in WORDS}
    for name, text in words.items():
        if len(text) > MAX_WORDS_LENGTH or not text.isprintable():
            errors[name] = f"Write at most {MAX_WORDS_LENGTH} characters on one line."
    first, last = days_of(given, errors)
    after = given.get("after", "")
    if after and not is_row_number(after):
        errors[""] = "There is no such page of the log. Go to the newest lines."
    if errors:
        raise BadFilters(errors)
    return AuditLogFilters(**words, first=first, last=last, after=int(after) if after else None)


def page(filters: AuditLogFilters) -> AuditLogPage:
    """One page of matching lines, newest first."""
    within, is_part = _within(filters)
    lines = _read(filters, *within, most=PAGE_SIZE + 1)
    has_more = len(lines) > PAGE_SIZE
    return AuditLogPage(lines[:PAGE_SIZE], lines[PAGE_SIZE - 1].id if has_more else None, is_part)


def all_lines(filters: AuditLogFilters) -> Iterator[AuditLogEntry]:
    """All matching lines for a file, read in batches."""
    filters = filters.at(None)
    while lines := _read(filters, most=BATCH_SIZE):
        yield from lines
        filters = filters.at(lines[-1].id)


def _within(filters: AuditLogFilters) -> tuple[list[ColumnElement[bool]], bool]:
    """The newest lines if no index helps, and whether that leaves older ones out."""
    if filters.subject:
        return [], False
    has_words = bool(filters.actor or filters.action or filters.detail)
    if (period := filters.period) is not None:
        ids = ids_within(LOG.c.at, period.since, period.until, most=SEARCHED_LINES)
        first = ids.first if has_words or not ids.is_part else 0
        return [LOG.c.id.between(first, ids.last)], has_words and ids.is_part
    oldest = newest_id(LOG) - SEARCHED_LINES
    return ([LOG.c.id > oldest], True) if has_words and oldest > 0 else ([], False)


def _read(filters: AuditLogFilters, *within: ColumnElement[bool], most: int) -> Sequence[AuditLogEntry]:
    statement = select(AuditLogEntry).where(*_conditions(filters), *within)
    if filters.after is not None:
        statement = statement.where(AuditLogEntry.id < filters.after)
    return db.session.scalars(statement.order_by(AuditLogEntry.id.desc()).limit(most)).all()


def _conditions(filters: AuditLogFilters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.subject:
        found.append(AuditLogEntry.subject == filters.subject)
    for column, text in ((AuditLogEntry.actor, filters.actor), (AuditLogEntry.detail, filters.detail)):
        if text:
            found.append(column.icontains(text, autoescape=True))
    if filters.action:
        found.append(_is_action(filters.action))
    if filters.period is not None:
        found += [AuditLogEntry.at >= filters.period.since, AuditLogEntry.at < filters.period.until]
    return found


def _is_action(text: str) -> ColumnElement[bool]:
    """Entries whose action has this text in its label, which people read, or in its stored name."""
    stored = AuditLogEntry.action
    labeled = [or_(stored == action, stored.startswith(f"{action} ")) for action in audit_actions.labeled_with(text)]
    return or_(stored.icontains(text, autoescape=True), *labeled)
