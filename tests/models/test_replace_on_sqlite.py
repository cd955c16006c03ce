"""REPLACE on SQLite: it deletes conflicting rows, and triggers notice that only if they are recursive."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from panel.db import APPEND_ONLY, Base, db, transaction
from panel.domain.status import Status
from panel.models import AuditLogEntry, Incident, IncidentPart, IncidentUpdate
from tests.support.factories import NOON, an_order

TABLES = [table for table in Base.metadata.sorted_tables if table.info.get(APPEND_ONLY)]


def test_append_only_tables_are_listed() -> None:
    assert {"transfers", "events", "terms", "audit_log", "incident_updates"} <= {table.name for table in TABLES}


@pytest.mark.parametrize("name", [table.name for table in TABLES])
@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE"])
def test_no_row_is_replaced(name: str, verb: str) -> None:
    table = Base.metadata.tables[name]
    an_order(status=Status.PARTIAL)
    with transaction():
        db.session.add(AuditLogEntry(actor="operator@example.com", action="look", subject="order:1", at=NOON))
        incident = Incident(slug="slow", request_id="12345678", title="Slow", phase="investigating", began_at=NOON)
        db.session.add(incident)
        db.session.flush()
        about = {"phase": "investigating", "text": "Slow", "actor": "operator@example.com", "at": NOON}
        update = IncidentUpdate(incident_id=incident.id, **about)
        db.session.add(update)
        db.session.flush()
        db.session.add(IncidentPart(update_id=update.id, component="api", state="major"))
    before = db.session.execute(select(table)).all()

    with pytest.raises(DatabaseError, match="append-only"), transaction():
        db.session.execute(text(f"{verb} INTO {name} SELECT * FROM {name}"))

    assert before and db.session.execute(select(table)).all() == before
