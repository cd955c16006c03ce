"""Reviews: what an operator must look at. Opening the same one again does nothing."""

import hashlib
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite

from panel.db import db
from panel.models import Review

_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def open_review(
    kind: str, *, order_id: int | None = None, provider_id: int | None = None, text: str, raw: str = "", now: datetime
) -> bool:
    """Open a review unless this very one was opened before; whether it is new."""
    fingerprint = hashlib.sha256(f"{kind}|{order_id}|{provider_id}|{text}|{raw}".encode()).hexdigest()
    add = _INSERTS[db.engine.dialect.name](Review.__table__).values(
        kind=kind,
        order_id=order_id,
        provider_id=provider_id,
        text=text,
        raw=raw,
        fingerprint=fingerprint,
        opened_at=now,
        resolution="",
    )
    return bool(db.session.execute(add.on_conflict_do_nothing(index_elements=["fingerprint"])).rowcount)
