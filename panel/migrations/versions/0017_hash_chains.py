"""Hash chains: each transfer and each event covers the one before it of the same customer or order.

The rows that are there get their hashes here, by batches. The text that is hashed is written out again, because this
revision must go on writing what it wrote, whatever `domain/chain.py` says in later versions.

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-27 15:20:00

"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from alembic import op

import panel.db

# revision identifiers, used by Alembic.
revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = panel.db.UtcDateTime(timezone=True)
CHAINED = ("accounts", "orders", "transfers", "events")
APPEND_ONLY = ("transfers", "events")
ROWS_AT_ONCE = 10_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The chain of a transfer is that of the customer who pays, or else of who gets, or else of whose order it settles.
TRANSFERS = """
SELECT transfers.id, transfers.from_account_id, transfers.to_account_id, transfers.amount_nanos, transfers.kind,
    transfers.order_id, transfers.reason, transfers.note, transfers.at,
    CASE WHEN source.user_id IS NOT NULL THEN source.id WHEN target.user_id IS NOT NULL THEN target.id
    ELSE own.id END AS account_id
FROM transfers
JOIN accounts AS source ON source.id = transfers.from_account_id
JOIN accounts AS target ON target.id = transfers.to_account_id
LEFT JOIN orders ON orders.id = transfers.order_id
LEFT JOIN accounts AS own ON own.user_id = orders.customer_id
WHERE transfers.id > :after ORDER BY transfers.id LIMIT :batch
"""
EVENTS = """
SELECT id, order_id, kind, source, old_status, status, remains, start_count, kept_nanos, returned_nanos, version, text,
    raw, at
FROM events WHERE (order_id, id) > (:after, :after_id) ORDER BY order_id, id LIMIT :batch
"""


def upgrade() -> None:
    for table in CHAINED:
        op.add_column(table, sa.Column("chain_hash", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "chain_checkpoints",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("chain_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("up_to_id", WHOLE, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("from_start_at", MOMENT, nullable=True),
        sa.Column("broken_at", MOMENT, nullable=True),
        sa.CheckConstraint("kind IN ('transfers', 'events', 'account')", name=op.f("ck_chain_checkpoints_kind")),
        sa.PrimaryKeyConstraint("kind", "chain_id", name=op.f("pk_chain_checkpoints")),
    )
    _allow_updates()
    _chain_transfers()
    _chain_events()
    _refuse_updates()


def downgrade() -> None:
    op.drop_table("chain_checkpoints")
    for table in reversed(CHAINED):
        op.drop_column(table, "chain_hash")


def _allow_updates() -> None:
    for table in APPEND_ONLY:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {table}_no_update")
        else:
            op.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_change")


def _refuse_updates() -> None:
    for table in APPEND_ONLY:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(
                f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        else:
            op.execute(f"ALTER TABLE {table} ENABLE TRIGGER {table}_no_change")


def _chain_transfers() -> None:
    heads: dict[int, str] = {}
    for batch in _transfers():
        hashes = {}
        for row in batch:
            if (account := row.account_id) is not None:
                hashes[row.id] = heads[account] = _transfer_hash(heads.get(account, ""), row)
        _write("transfers", hashes)
    _write("accounts", heads)


def _chain_events() -> None:
    newest = (0, "")
    for batch in _events():
        hashes, heads = {}, {}
        for row in batch:
            previous = newest[1] if row.order_id == newest[0] else ""
            hashes[row.id] = heads[row.order_id] = _event_hash(previous, row)
            newest = (row.order_id, hashes[row.id])
        _write("events", hashes)
        _write("orders", heads)


def _transfers() -> Iterator[list[Any]]:
    statement, after = sa.text(TRANSFERS).columns(at=MOMENT), 0
    while batch := list(op.get_bind().execute(statement, {"after": after, "batch": ROWS_AT_ONCE})):
        yield batch
        after = batch[-1].id


def _events() -> Iterator[list[Any]]:
    statement, after, after_id = sa.text(EVENTS).columns(at=MOMENT), 0, 0
    while batch := list(
        op.get_bind().execute(statement, {"after": after, "after_id": after_id, "batch": ROWS_AT_ONCE})
    ):
        yield batch
        after, after_id = batch[-1].order_id, batch[-1].id


def _write(table: str, hashes: dict[int, str]) -> None:
    """Write many hashes at once: a statement for each row is slow on PostgreSQL."""
    connection, pairs = op.get_bind(), sorted(hashes.items())
    for start in range(0, len(pairs), ROWS_AT_ONCE):
        some = pairs[start : start + ROWS_AT_ONCE]
        if connection.dialect.name == "sqlite":
            statement = f"UPDATE {table} SET chain_hash = ? WHERE id = ?"  # noqa: S608
            connection.exec_driver_sql(statement, [(hash_, row_id) for row_id, hash_ in some])
        else:
            statement = (
                f"UPDATE {table} SET chain_hash = given.hash "  # noqa: S608
                "FROM (SELECT unnest(%s::bigint[]) AS id, unnest(%s::text[]) AS hash) AS given "
                f"WHERE {table}.id = given.id"
            )
            connection.exec_driver_sql(statement, ([row_id for row_id, _ in some], [hash_ for _, hash_ in some]))


def _transfer_hash(previous: str, row: Any) -> str:
    return _digest(
        f"{previous}\ntransfer/1 {row.account_id},{row.from_account_id},{row.to_account_id},{row.amount_nanos},"
        f"{row.order_id},{_microseconds(row.at)} {_sized(row.kind)}{_sized(row.reason)}{_sized(row.note)}"
    )


def _event_hash(previous: str, row: Any) -> str:
    return _digest(
        f"{previous}\nevent/1 {row.order_id},{row.remains},{row.start_count},{row.kept_nanos},{row.returned_nanos},"
        f"{row.version},{_microseconds(row.at)} {_sized(row.kind)}{_sized(row.source)}{_sized(row.old_status)}"
        f"{_sized(row.status)}{_sized(row.text)}{_sized(row.raw)}"
    )


def _sized(text: str | None) -> str:
    return "-:None" if text is None else f"{len(text)}:{text}"


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
