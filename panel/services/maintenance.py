"""Maintenance switch: operators close ordering for a while, with a reason that customers read.

Placing an order reads it in its own transaction, so it holds in every process as soon as it is committed. The clock
ends it: after `ends_at` the row means nothing, and the worker deletes it. Each change bumps the catalogue's version, so
that cached pages follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from panel.db import db, execute_write, table_of, upsert
from panel.domain import formatting
from panel.domain.errors import ActionRefused, BadInput, OrderingClosed
from panel.models import Catalogue, Maintenance
from panel.services import audit_log

MAX_SPAN = timedelta(days=14)
SUBJECT = "ordering"

_ROW = table_of(Maintenance)
COLUMNS = (_ROW.c.reason, _ROW.c.began_at, _ROW.c.ends_at)
_CURRENT = select(*COLUMNS)


@dataclass(frozen=True, slots=True)
class ClosedOrdering:
    """Ordering is closed: why, since when, and until when."""

    reason: str
    began_at: datetime
    ends_at: datetime

    @property
    def sentence(self) -> str:
        """For customers: until when, and why."""
        return f"Ordering is closed until {formatting.when(self.ends_at)}. {self.reason}"


def current(*, now: datetime) -> ClosedOrdering | None:
    """The present closure; None while customers can order."""
    row = db.session.execute(_CURRENT).first()
    return None if row is None else in_force(row, now=now)


def in_force(row: Sequence[Any], *, now: datetime) -> ClosedOrdering | None:
    """The closure in a row of COLUMNS, each None where there is none; None once its end has come."""
    reason, began_at, ends_at = row
    return ClosedOrdering(reason, began_at, ends_at) if ends_at is not None and now < ends_at else None


def is_stored() -> bool:
    """Whether there is a closure, also one whose end has come and is yet to be cleared up."""
    return db.session.scalar(select(Maintenance.id)) is not None


def check_open(*, now: datetime) -> None:
    """Raises OrderingClosed while ordering is closed."""
    refuse_if(current(now=now), now=now)


def refuse_if(closed: ClosedOrdering | None, *, now: datetime) -> None:
    """As `check_open`, for what was read already."""
    if closed is not None:
        left = max(1, -(-(closed.ends_at - now) // timedelta(seconds=1)))
        raise OrderingClosed(f"{closed.sentence} Nothing was charged.", retry_after_seconds=left)


def close(*, reason: str, ends_at: datetime, actor: str, now: datetime) -> None:
    """Close ordering until then, or change reason and end while it is closed. Raises BadInput."""
    reason = audit_log.checked_reason(reason)
    if not now < ends_at <= now + MAX_SPAN:
        raise BadInput(f"The end must lie ahead, at most {MAX_SPAN.days} days.", field="until")
    values = {"reason": _as_sentence(reason), "ends_at": ends_at}
    statement = upsert(_ROW).values(id=1, began_at=now, **values)
    execute_write(statement.on_conflict_do_update(index_elements=[_ROW.c.id], set_=values))
    _changed("maintenance begin", f"until {formatting.when(ends_at)}: {reason}", actor=actor, now=now)


def reopen(*, actor: str, now: datetime) -> None:
    """Open ordering again before its end. Raises Refused if it is open."""
    if not execute_write(delete(Maintenance)):
        raise ActionRefused("Ordering is open already.")
    _changed("maintenance end", "Before its end.", actor=actor, now=now)


def end_due(*, now: datetime) -> int:
    """Delete a closure whose end has come; returns how many. Ordering is open since then in any case."""
    ended = execute_write(delete(Maintenance).where(Maintenance.ends_at <= now))
    if ended:
        _changed("maintenance end", "Its end has come.", actor="panel", now=now)
    return ended


def _changed(action: str, detail: str, *, actor: str, now: datetime) -> None:
    audit_log.write(action, actor=actor, subject=SUBJECT, detail=detail, now=now)
    # The banner and the order forms are cached under this version.
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def _as_sentence(reason: str) -> str:
    return reason if reason.endswith((".", "!", "?")) else f"{reason}."
