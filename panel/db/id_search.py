"""Ids of a period: the first and last row of some days, by the index on their time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Table, func, select

from panel.db import db


@dataclass(frozen=True, slots=True)
class IdRange:
    """The smallest and the largest id of a period's rows; `is_part`: of its newest rows alone, there being more."""

    first: int
    last: int
    is_part: bool


def newest_id(table: Table) -> int:
    """The newest row's id, 0 for an empty table."""
    return int(db.session.scalar(select(func.max(table.c.id))) or 0)


def ids_within(at: Column[Any], since: datetime, until: datetime, *, most: int) -> IdRange:
    """The ids of the rows from `since` up to, not including, `until`; if there are more, of the newest `most`."""
    row_id = at.table.c.id
    newest = select(row_id).where(at >= since, at < until).order_by(at.desc()).limit(most + 1).subquery()
    first, last, count = db.session.execute(select(func.min(newest.c.id), func.max(newest.c.id), func.count())).one()
    return IdRange(first or 0, last or 0, count > most)
