"""Append-only tables: the database refuses UPDATE and DELETE from any client."""

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import AuditLogEntry, OrderEvent, Terms, Transfer
from tests.support.factories import NOON, an_order

pytestmark = pytest.mark.both_engines

APPEND_ONLY = (Transfer, OrderEvent, Terms, AuditLogEntry)


@pytest.mark.parametrize("model", APPEND_ONLY, ids=lambda model: model.__tablename__)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET id = id + 1000", "DELETE FROM {table}"])
def test_database_refuses_to_change_what_is_append_only(model: type[OrderEvent], statement: str) -> None:
    an_order(status=Status.PARTIAL)
    with transaction():
        db.session.add(AuditLogEntry(actor="operator@example.com", action="look", subject="order:1", at=NOON))
    before = db.session.scalar(select(func.count()).select_from(model))

    with pytest.raises(DatabaseError, match="append-only"), transaction():
        db.session.execute(text(statement.format(table=model.__tablename__)))

    assert before and db.session.scalar(select(func.count()).select_from(model)) == before
