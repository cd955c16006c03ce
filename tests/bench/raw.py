"""Baseline: the rows that the panel writes, with bare statements on a bare connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from panel.db import db

# Values of one transition: the order's id, version and final status, and its customer's account.
ORDER = (
    "UPDATE orders SET status = ?, remains = ?, start_count = ?, kept_nanos = ?, returned_nanos = ?, reason = ?,"
    " version = version + 1, started_at = ?, completed_at = ?, ended_at = ? WHERE id = ? AND version = ?"
)
EVENT = (
    "INSERT INTO events (order_id, kind, source, old_status, status, remains, start_count, kept_nanos,"
    " returned_nanos, version, text, raw, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
TRANSFER = (
    "INSERT INTO transfers (from_account_id, to_account_id, amount_nanos, kind, order_id, reason, note, at)"
    " VALUES (?, ?, ?, ?, ?, ?, '', ?)"
)
BALANCE = "UPDATE accounts SET balance_nanos = balance_nanos + ? WHERE id = ?"
CUSTOMER = "UPDATE users SET state_version = state_version + 1 WHERE id = ?"
NEXT = "UPDATE orders SET sync_at = ? WHERE id = ?"


class RawConnection:
    """A driver connection, outside SQLAlchemy's sessions."""

    def __init__(self) -> None:
        self.is_sqlite = db.engine.dialect.name == "sqlite"
        self.pooled = db.engine.raw_connection()
        self.cursor = self.pooled.cursor()

    def moment(self, at: datetime) -> Any:
        return at.strftime("%Y-%m-%d %H:%M:%S.%f") if self.is_sqlite else at

    def begin(self) -> None:
        if self.is_sqlite:
            self.cursor.execute("BEGIN IMMEDIATE")

    def one(self, statement: str, values: Sequence[Any]) -> None:
        self.cursor.execute(self._sql(statement), values)

    def many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        self.cursor.executemany(self._sql(statement), rows)

    def commit(self) -> None:
        if self.is_sqlite:
            self.cursor.execute("COMMIT")
        else:
            self.pooled.commit()

    def close(self) -> None:
        self.cursor.close()
        self.pooled.close()

    def _sql(self, statement: str) -> str:
        return statement if self.is_sqlite else statement.replace("?", "%s")
