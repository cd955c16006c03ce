"""A long past for a filled panel: copies, by the thousand, of the rows that pile up, in every table that has such rows.

Half of the copies belong to the same customer, half each to a customer of their own, so that a list which reads more
than its page reads them. A copy of a row belongs to the same copy of what the row belongs to.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, UniqueConstraint, bindparam, func, select, text
from sqlalchemy.types import TypeDecorator, TypeEngine

from panel.clock import utc_now
from panel.db import db
from panel.models import User

# What a copied row is like, and what is different in its copies: they have ended. Tables without an entry don't grow,
# or the worker deletes old rows.
COPIED: dict[str, tuple[str, dict[str, str]]] = {
    "announcements": ("published_at IS NOT NULL", {"is_pinned": "FALSE"}),
    "audit_log": ("", {}),
    "incidents": ("", {"phase": "'resolved'", "resolved_at": "began_at"}),
    "incident_updates": ("", {}),
    "mails": ("", {"due_at": "NULL", "sent_at": "queued_at"}),
    "payment_events": ("", {"due_at": "NULL"}),
    "vouchers": ("", {"used": "uses"}),
    "users": ("role = 'customer'", {}),
    "accounts": ("user_id IS NOT NULL", {"kind": "'customer'"}),
    "api_keys": ("", {"revoked_at": "made_at"}),
    "sessions": ("", {"ended_at": "seen_at"}),
    "webhook_endpoints": ("", {"removed_at": "made_at"}),
    "orders": ("status = 'partial'", {"ended_at": "placed_at"}),
    "attempts": ("kind = 'add'", {"state": "'sent'"}),
    "cancellations": ("", {"state": "'refused'", "due_at": "NULL", "answered_at": "asked_at"}),
    "events": ("", {}),
    "order_costs": ("", {}),
    "refills": ("", {"state": "'completed'", "due_at": "NULL", "ended_at": "asked_at"}),
    "public_links": ("", {}),
    "reviews": ("", {"resolved_at": "opened_at"}),
    "transfers": ("order_id IS NOT NULL", {}),
    "webhooks": ("", {}),
    "deliveries": ("", {"due_at": "NULL", "delivered_at": "tried_at"}),
    "deposits": ("method = 'manual'", {"refused_at": "requested_at", "refused_reason": "'Old.'"}),
    "tickets": ("", {"state": "'closed'"}),
    "ticket_entries": ("", {}),
    "proposals": ("", {"state": "'refused'", "decided_at": "proposed_at"}),
}
# What a new row needs besides numbers, times and words, where the filled panel has none to copy.
NEW_ROWS: dict[str, dict[str, object]] = {
    "payment_events": {"state": "applied", "kind": "paid"},
    "attempts": {"kind": "add", "state": "sent"},
    "cancellations": {"state": "refused"},
    "refills": {"state": "completed"},
    "deliveries": {"state": "delivered"},
    "mails": {"kind": "orders"},
}
# A customer has one of these, or as many as people make by hand.
FEW_OF_A_CUSTOMER = frozenset({"users", "accounts", "api_keys", "proposals", "sessions", "webhook_endpoints"})
# Columns with a user who need not be the customer.
OF_STAFF = frozenset({"made_by", "proposed_by", "decided_by", "assignee_id", "author_id"})
AGO = timedelta(days=100)


class Copies:
    """The rows to copy of a filled panel, and how many copies it has so far. Those of one customer hang together."""

    def __init__(self, connection: Connection, customer: User) -> None:
        self.connection, self.copies = connection, 0
        self.tables = [table for table in db.metadata.sorted_tables if table.name in COPIED]
        self.rows: dict[str, Mapping[str, object]] = {}
        for table in self.tables:
            self.rows[table.name] = self._row_to_copy(table, customer.id)

    def _row_to_copy(self, table: Table, customer_id: int) -> Mapping[str, object]:
        where = [text(COPIED[table.name][0])] if COPIED[table.name][0] else []
        if table.name == "users":
            where = [table.c.id == customer_id]
        for column in table.c:
            for key in column.foreign_keys:
                other = key.column.table.name
                if other in self.rows and other != "accounts" and column.name not in OF_STAFF:
                    found = column == self.rows[other][key.column.name]
                    where.append(found | column.is_(None) if column.nullable else found)
        wanted = select(table).where(*where).order_by(*table.primary_key.columns)
        rows = [dict(row) for row in self.connection.execute(wanted).mappings()]
        if rows:
            # The newest, if possible of the customer.
            return max(reversed(rows), key=lambda row: row.get("user_id") is not None)
        self.connection.execute(table.insert(), self._new_row(table))
        return dict(self.connection.execute(wanted).mappings().one())

    def _new_row(self, table: Table) -> dict[str, object]:
        """A row of the others' for a table that the filled panel leaves empty."""
        values: dict[str, object] = {}
        for column in table.c:
            key = next(iter(column.foreign_keys), None)
            if key is not None and (not column.nullable or column.name == "user_id"):
                other = key.column.table
                known = self.rows.get(other.name)
                first = select(func.min(key.column))
                values[column.name] = known[key.column.name] if known else self.connection.scalar(first)
            elif not (column.nullable or (column.primary_key and column.name == "id")) and column.default is None:
                values[column.name] = _any_value(column.type)
        return values | NEW_ROWS.get(table.name, {})

    def make(self, many: int) -> None:
        """Add this many copies of each row, older than all others: their ids are below zero."""
        for is_same_customer in (True, False):
            for table in self.tables:
                if not (is_same_customer and table.name in FEW_OF_A_CUSTOMER):
                    self._copy(table, many, is_same_customer=is_same_customer)
        self.copies += many

    def _copy(self, table: Table, many: int, *, is_same_customer: bool) -> None:
        own = -2 if is_same_customer else -1
        number = f"(2 * n + {own})"
        values = {column.name: self._value(table, column.name, number, is_same_customer) for column in table.c}
        keys = [bindparam(f"key_{key.name}", self.rows[table.name][key.name], key.type) for key in table.primary_key]
        is_row = " AND ".join(f'"{key.name}" = :key_{key.name}' for key in table.primary_key)
        names = ", ".join(f'"{name}"' for name in values)
        self.connection.execute(
            text(
                f'INSERT INTO "{table.name}" ({names})'
                " WITH RECURSIVE numbers (n) AS (SELECT CAST(:first AS INTEGER)"
                " UNION ALL SELECT n - 1 FROM numbers WHERE n > :last)"
                f' SELECT {", ".join(values.values())} FROM numbers CROSS JOIN "{table.name}" WHERE {is_row}'
                " ORDER BY n DESC"
            ).bindparams(*keys),
            {"first": -self.copies, "last": 1 - self.copies - many},
        )

    def _value(self, table: Table, name: str, number: str, is_same_customer: bool) -> str:
        column, own = table.c[name], COPIED[table.name][1]
        for key in column.foreign_keys:
            other = key.column.table.name
            is_copied = other in self.rows and self.rows[table.name][name] == self.rows[other][key.column.name]
            if is_copied and not (is_same_customer and other in FEW_OF_A_CUSTOMER):
                return number
        if column.primary_key and not column.foreign_keys:
            return number if name == "id" else self._moved(column.type, f'"{name}"', number)
        if own.get(name) == "NULL":
            return "NULL"
        source = own.get(name, f'"{name}"')
        if name in _unique(table) and name not in own and _python_type(column.type) is str:
            return f"{source} || {number}"
        return self._moved(column.type, source, number)

    def _moved(self, kind: TypeEngine[Any], source: str, minutes: str) -> str:
        """A time in the past, further with each copy; anything else as it is."""
        if _python_type(kind) is not datetime:
            return source
        if self.connection.dialect.name == "postgresql":
            return f"{source} + make_interval(days => -{AGO.days}, mins => {minutes})"
        return f"strftime('%Y-%m-%d %H:%M:%S.000000', {source}, '-{AGO.days} days', {minutes} || ' minutes')"


def _python_type(kind: TypeEngine[Any]) -> type[Any]:
    return kind.impl_instance.python_type if isinstance(kind, TypeDecorator) else kind.python_type


def _any_value(kind: TypeEngine[Any]) -> object:
    now = utc_now()
    return {datetime: now, date: now.date(), str: "copied", bool: False, bytes: b""}.get(_python_type(kind), 1)


def _unique(table: Table) -> set[str]:
    """Of each unique key, the last column; not of those by what the row belongs to, whose copies differ anyway."""
    keys = [[column] for column in table.c if column.unique]
    keys += [list(key.columns) for key in table.constraints if isinstance(key, UniqueConstraint)]
    keys += [list(index.columns) for index in table.indexes if index.unique]
    apart = set(COPIED) - FEW_OF_A_CUSTOMER
    owners = [{key.column.table.name for column in columns for key in column.foreign_keys} for columns in keys]
    return {columns[-1].name for columns, names in zip(keys, owners, strict=True) if not names & apart}
