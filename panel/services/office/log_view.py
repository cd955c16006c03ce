"""The audit log, searched: who did what, to what, when and why. Lines are only ever read here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, select

from panel.db import db
from panel.domain.errors import BadInput
from panel.domain.history import FIRST_DAY, LARGEST_ID, LAST_DAY, BadFilters
from panel.domain.period import Period, parse_day
from panel.models import AuditLine

PAGE_SIZE = 50
BATCH_SIZE = 1_000
LONGEST_WORDS = 254
WORDS = ("actor", "act", "subject", "detail")


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the log, and `after` which line the page begins. A subject is named in full, the rest in part."""

    actor: str = ""
    act: str = ""
    subject: str = ""
    detail: str = ""
    first: date | None = None
    last: date | None = None
    after: int | None = None

    def pairs(self) -> list[tuple[str, str]]:
        """What is set, as names and values of an address, without the page."""
        given = [(name, getattr(self, name)) for name in WORDS]
        given += [("from", self.first and self.first.isoformat()), ("to", self.last and self.last.isoformat())]
        return [(name, value) for name, value in given if value]

    def query(self) -> str:
        page = [] if self.after is None else [("after", str(self.after))]
        return urlencode(self.pairs() + page)

    def at(self, after: int | None) -> "Filters":
        """The same filters on another page; None is the first."""
        return replace(self, after=after)


@dataclass(frozen=True, slots=True)
class Page:
    """Lines, newest first, and the line after which the next page begins."""

    lines: Sequence[AuditLine]
    next_after: int | None


def parse(given: Mapping[str, str]) -> Filters:
    """The filters of an address; an empty value is none. Raises BadFilters with a message for each bad field."""
    errors: dict[str, str] = {}
    words = {name: given.get(name, "").strip() for name in WORDS}
    for name, text in words.items():
        if len(text) > LONGEST_WORDS or not text.isprintable():
            errors[name] = f"Write at most {LONGEST_WORDS} characters on one line."
    first, last = (_day(given.get(name, ""), name, errors) for name in ("from", "to"))
    if first and last and first > last:
        errors["from"] = "The first day is after the last day. Swap them or change one."
    after = given.get("after", "")
    if after and not (after.isascii() and after.isdigit() and len(after) <= 19 and 0 < int(after) <= LARGEST_ID):
        errors[""] = "There is no such page of the log. Go to the newest lines."
    if errors:
        raise BadFilters(errors)
    return Filters(**words, first=first, last=last, after=int(after) if after else None)


def _day(text: str, field: str, errors: dict[str, str]) -> date | None:
    try:
        return parse_day(text, field=field) if text.strip() else None
    except BadInput as error:
        errors[field] = error.message
        return None


def page(filters: Filters) -> Page:
    """One page of what is found, newest first."""
    lines = _read(filters, most=PAGE_SIZE + 1)
    has_more = len(lines) > PAGE_SIZE
    return Page(lines[:PAGE_SIZE], lines[PAGE_SIZE - 1].id if has_more else None)


def all_lines(filters: Filters) -> Iterator[AuditLine]:
    """Everything that is found, for a file: a thousand at a time."""
    filters = filters.at(None)
    while lines := _read(filters, most=BATCH_SIZE):
        yield from lines
        filters = filters.at(lines[-1].id)


def _read(filters: Filters, *, most: int) -> Sequence[AuditLine]:
    statement = select(AuditLine).where(*_conditions(filters))
    if filters.after is not None:
        statement = statement.where(AuditLine.id < filters.after)
    return db.session.scalars(statement.order_by(AuditLine.id.desc()).limit(most)).all()


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.subject:
        found.append(AuditLine.subject == filters.subject)
    for column, text in (
        (AuditLine.actor, filters.actor),
        (AuditLine.act, filters.act),
        (AuditLine.detail, filters.detail),
    ):
        if text:
            found.append(column.icontains(text, autoescape=True))
    if filters.first or filters.last:
        period = Period(filters.first or FIRST_DAY, filters.last or LAST_DAY)
        found += [AuditLine.at >= period.since, AuditLine.at < period.until]
    return found
