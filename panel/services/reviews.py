"""Reviews: the operators' to-do list. Opening the same review again does nothing."""

import hashlib
from datetime import datetime

from sqlalchemy import func, select, update

from panel.db import db, execute_write, table_of, upsert
from panel.domain.review_kind import ReviewKind
from panel.models import Review

MAX_REPORTS = 20
NO_MORE = f"These are {MAX_REPORTS} for this order; further ones are not listed."


def open_review(
    kind: ReviewKind,
    *,
    order_id: int | None = None,
    provider_id: int | None = None,
    text: str,
    raw: str = "",
    now: datetime,
) -> bool:
    """Open a review unless the same one exists already; returns whether it is new."""
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


def open_report(
    kind: ReviewKind,
    *,
    order_id: int,
    provider_id: int | None = None,
    text: str,
    raw: str,
    now: datetime,
) -> bool:
    """As `open_review`, for provider texts that keep changing: at most MAX_REPORTS of a kind per order."""
    mine = select(func.count()).select_from(Review).where(Review.kind == kind, Review.order_id == order_id)
    known = db.session.scalar(mine) or 0
    if known >= MAX_REPORTS:
        return False
    is_new = open_review(kind, order_id=order_id, provider_id=provider_id, text=text, raw=raw, now=now)
    if is_new and known + 1 == MAX_REPORTS:
        last = select(func.max(Review.id)).where(Review.kind == kind, Review.order_id == order_id).scalar_subquery()
        db.session.execute(update(Review).where(Review.id == last).values(text=f"{text} {NO_MORE}"))
    return is_new


def close(
    kind: ReviewKind,
    *,
    order_id: int | None = None,
    provider_id: int | None = None,
    resolution: str,
    now: datetime,
) -> int:
    """Resolve these reviews, which no longer need an operator; returns how many were open."""
    about = Review.order_id == order_id if order_id is not None else Review.provider_id == provider_id
    statement = update(Review).where(Review.kind == kind, Review.resolved_at.is_(None), about)
    return execute_write(statement.values(resolved_at=now, resolution=resolution))
