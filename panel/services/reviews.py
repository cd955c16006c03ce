"""Reviews: what an operator must look at. Opening the same one again does nothing."""

import hashlib
from datetime import datetime

from sqlalchemy import update

from panel.db import change, db, table_of, upsert
from panel.models import Review


def open_review(
    kind: str,
    *,
    order_id: int | None = None,
    provider_id: int | None = None,
    text: str,
    raw: str = "",
    now: datetime,
) -> bool:
    """Open a review unless this very one was opened before; whether it is new."""
    fingerprint = hashlib.sha256(f"{kind}|{order_id}|{provider_id}|{text}|{raw}".encode()).hexdigest()
    add = upsert(table_of(Review)).values(
        kind=kind,
        order_id=order_id,
        provider_id=provider_id,
        text=text,
        raw=raw,
        fingerprint=fingerprint,
        opened_at=now,
        resolution="",
    )
    made = add.on_conflict_do_nothing(index_elements=["fingerprint"]).returning(Review.id)
    return db.session.execute(made).first() is not None


def close(
    kind: str,
    *,
    order_id: int | None = None,
    provider_id: int | None = None,
    resolution: str,
    now: datetime,
) -> int:
    """What these reviews asked has been answered otherwise; how many were open."""
    about = Review.order_id == order_id if order_id is not None else Review.provider_id == provider_id
    statement = update(Review).where(Review.kind == kind, Review.resolved_at.is_(None), about)
    return change(statement.values(resolved_at=now, resolution=resolution))
