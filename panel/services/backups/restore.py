"""Restore into an empty database, and hold orders that may have been sent after the backup.

An order that waited when the backup was made may be at its provider by now. Each such order becomes unconfirmed, with a
review, like after a call without an answer: an operator or a timeout resolves it, and it is never sent again
automatically.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, LargeBinary, Table, and_, func, insert, or_, select, text, update

from panel.db import db
from panel.domain.errors import ActionRefused
from panel.domain.provider_kind import ProviderKind
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import Attempt, AttemptKind, AttemptState, Catalogue, Order, Provider, Refill, User
from panel.services.accounts import email_links, invitations, sessions
from panel.services.backups.file_format import (
    BackupRow,
    Progress,
    as_value,
    count_rows,
    read_rows,
    rows_at_once,
    tables_of,
)
from panel.services.orders import dispatch, refills, runs, transitions

VERSIONS_AHEAD = 1_000_000
# Pages that SQLite keeps in memory: rows come in no order of the unique indexes.
CACHE_KIB = 256 * 1024
# Rows that migrations insert into new tables; the backup has its own.
SEEDED = frozenset({"accounts", "catalogue"})
WAITED = "Restored from a backup in which this waited: it may have been sent after the backup was made."
WAS_UNDER_WAY = "Restored from a backup made while the call was under way."


def check(path: Path) -> int:
    """Read the whole file and return its number of rows. Raises Refused if it is damaged."""
    return count_rows(path)


def load(path: Path, *, progress: Progress | None = None, rows: int = 0) -> int:
    """Insert all rows into the tables, which must be those of the backup's revision. Raises Refused.

    `rows`: how many the file has, for `progress`. No order is due for dispatch afterwards: `hold` decides which orders
    wait, and for what.
    """
    connection = db.session.connection()
    tables = {table.name: table for table in tables_of(connection)}
    _refuse_unless_empty(connection, tables)
    for name in SEEDED & tables.keys():
        connection.execute(tables[name].delete())
    count, is_sqlite = 0, connection.dialect.name == "sqlite"
    fill = _fill_sqlite if is_sqlite else _fill
    with _indexed_afterward(connection, progress) if is_sqlite else nullcontext():
        for name, pieces in itertools.groupby(read_rows(path), key=lambda piece: piece.table):
            if name not in tables:
                raise ActionRefused(f"The backup has a table {name} that this revision does not know.")
            for inserted in fill(connection, tables[name], pieces):
                count += inserted
                if progress is not None:
                    progress(name, count, rows)
    connection.execute(tables["orders"].update().values(dispatch_at=None))
    not_asked_for = tables["refills"].c.provider_refill_id.is_(None)
    connection.execute(tables["refills"].update().where(not_asked_for).values(due_at=None))
    if connection.dialect.name == "postgresql":
        _go_on_counting(connection, tables)
    return count


def _refuse_unless_empty(connection: Connection, tables: dict[str, Table]) -> None:
    for name, table in tables.items():
        if name not in SEEDED and connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise ActionRefused(
                "This database has rows already. Restore into an empty one: a new PANEL_INSTANCE folder."
            )


def _fill(connection: Connection, table: Table, pieces: Iterator[BackupRow]) -> Iterator[int]:
    while batch := list(itertools.islice(pieces, rows_at_once(table))):
        kinds = [(name, table.c[name].type) for name in batch[0].columns]
        rows = [
            {name: as_value(value, kind) for (name, kind), value in zip(kinds, piece.values, strict=True)}
            for piece in batch
        ]
        connection.execute(table.insert(), rows)
        yield len(batch)


def _fill_sqlite(connection: Connection, table: Table, pieces: Iterator[BackupRow]) -> Iterator[int]:
    """As `_fill`, by the driver alone: SQLite has days and times as text, and most of a row is as it was written."""
    while batch := list(itertools.islice(pieces, rows_at_once(table))):
        names = batch[0].columns
        times = [place for place, name in enumerate(names) if isinstance(table.c[name].type, DateTime)]
        files = [place for place, name in enumerate(names) if isinstance(table.c[name].type, LargeBinary)]
        for row in (piece.values for piece in batch):
            for place in times:
                if (text := row[place]) is not None:
                    row[place] = f"{text[:10]} {text[11:26] if text[19] == '.' else text[11:19] + '.000000'}"
            for place in files:
                row[place] = as_value(row[place], table.c[names[place]].type)
        columns, places = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(names))
        statement = f'INSERT INTO "{table.name}" ({columns}) VALUES ({places})'  # noqa: S608
        connection.exec_driver_sql(statement, [tuple(piece.values) for piece in batch])
        yield len(batch)


@contextmanager
def _indexed_afterward(connection: Connection, progress: Progress | None) -> Iterator[None]:
    """Make SQLite's indexes once all rows are there: row by row, each would be read and written all over."""
    found = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%'"
    ).all()
    connection.exec_driver_sql(f"PRAGMA cache_size = {-CACHE_KIB}")
    for name, _ in found:
        connection.exec_driver_sql(f'DROP INDEX "{name}"')
    yield
    for number, (name, statement) in enumerate(found):
        if progress is not None:
            progress(f"index {name}", number, len(found))
        connection.exec_driver_sql(statement)


def _go_on_counting(connection: Connection, tables: dict[str, Table]) -> None:
    """Set the sequences so that new rows get ids after the restored ones."""
    for table in tables.values():
        if "id" not in table.c:
            continue
        sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, 'id')"), {"table": table.name})
        last = connection.execute(select(func.max(table.c.id))).scalar()
        if (name := sequence.scalar()) is not None and last is not None:
            connection.execute(select(func.setval(name, last)))


def hold(*, now: datetime) -> tuple[int, int]:
    """Mark everything that may have been sent since as unconfirmed; returns the number of orders and of refills.

    Mailed links are revoked and everyone is logged out: a link that was used, or a device that was logged out, after
    the backup must not work again. Waiting emails are sent; if they were sent before, they come again with the same
    Message-ID. Open pages are rendered again.
    """
    email_links.end_everyones(now=now)
    invitations.end_everyones(now=now)
    sessions.end_everyones(now=now)
    for versioned in (User.state_version, Catalogue.version):
        # Never reuse versions under which pages may have been rendered after the backup.
        db.session.execute(update(versioned.class_).values({versioned: versioned + VERSIONS_AHEAD}))
    _doubt_what_was_under_way(now=now)
    orders = db.session.scalars(_not_handed_over()).all()
    for order_id in orders:
        order = transitions.lock_order(order_id)
        dispatch.mark_unconfirmed(_attempt(order, AttemptKind.ADD, now=now), order, text=WAITED, now=now)
    waiting = db.session.scalars(_refills_not_asked_for()).all()
    for order_id in waiting:
        order = transitions.lock_order(order_id)
        refills.mark_unconfirmed(_attempt(order, AttemptKind.REFILL, now=now), order, text=WAITED, now=now)
    return len(orders), len(waiting)


def _doubt_what_was_under_way(*, now: datetime) -> None:
    under_way = select(Attempt).where(Attempt.state == AttemptState.INTENT)
    for attempt in db.session.scalars(under_way).all():
        order = transitions.lock_order(attempt.order_id)
        doubt = dispatch.mark_unconfirmed if attempt.kind == AttemptKind.ADD else refills.mark_unconfirmed
        doubt(attempt, order, text=WAS_UNDER_WAY, now=now)


def _not_handed_over() -> Any:
    """Pending orders that no provider has, without an open attempt; manual orders are excluded."""
    has_open = select(Attempt.id).where(
        Attempt.order_id == Order.id, Attempt.kind == AttemptKind.ADD, Attempt.state.in_(dispatch.OPEN)
    )
    return (
        select(Order.id)
        .join(Provider, Provider.id == Order.provider_id)
        .where(
            # Of a drip-feed also the next run, whose status is that of the runs before it.
            or_(
                Order.status == Status.PENDING,
                and_(Order.status.in_([status for status in Status if status.is_open]), runs.HAS_RUNS),
            ),
            Order.provider_order_id.is_(None),
            Provider.kind != ProviderKind.MANUAL,
            ~has_open.exists(),
        )
        .order_by(Order.id)
    )


def _refills_not_asked_for() -> Any:
    has_open = select(Attempt.id).where(
        Attempt.order_id == Refill.order_id, Attempt.kind == AttemptKind.REFILL, Attempt.state.in_(dispatch.OPEN)
    )
    return (
        select(Refill.order_id)
        .join(Order, Order.id == Refill.order_id)
        .join(Provider, Provider.id == Order.provider_id)
        .where(
            Refill.state == RefillState.REQUESTED,
            Refill.provider_refill_id.is_(None),
            Provider.kind != ProviderKind.MANUAL,
            ~has_open.exists(),
        )
        .order_by(Refill.order_id)
    )


def _attempt(order: transitions.OrderRow, kind: AttemptKind, *, now: datetime) -> Attempt:
    """An intent with an unknown outcome."""
    values = {
        "order_id": order.id,
        "provider_id": order.provider_id,
        "kind": kind,
        "state": AttemptState.INTENT,
        "at": now,
        "lease_until": now,
        "answer": "",
    }
    attempt: Attempt = db.session.scalars(insert(Attempt).returning(Attempt), [values]).one()
    return attempt
