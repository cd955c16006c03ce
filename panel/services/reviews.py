"""Reviews: the operators' to-do list. Opening the same review again does nothing."""

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, select, update

from panel.db import db, table_of, upsert
from panel.db.compiled_statements import CompiledStatement
from panel.domain.review_kind import ReviewKind
from panel.models import Review

REVIEWS = table_of(Review)
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
    values = {"b_kind": kind, "b_now": now, "b_resolution": resolution}
    if order_id is not None:
        return len(_CLOSE_ORDERS.fetch(values | {"b_about": order_id}))
    if provider_id is not None:
        return len(_CLOSE_PROVIDERS.fetch(values | {"b_about": provider_id}))
    return len(_CLOSE_OTHERS.fetch(values))


def _close(about: ColumnElement[bool]) -> Any:
    open_ones = (REVIEWS.c.kind == bindparam("b_kind"), REVIEWS.c.resolved_at.is_(None), about)
    closed = (
        update(REVIEWS).where(*open_ones).values(resolved_at=bindparam("b_now"), resolution=bindparam("b_resolution"))
    )
    return closed.returning(REVIEWS.c.id)


_CLOSE_ORDERS = CompiledStatement(lambda: _close(REVIEWS.c.order_id == bindparam("b_about")))
_CLOSE_PROVIDERS = CompiledStatement(lambda: _close(REVIEWS.c.provider_id == bindparam("b_about")))
_CLOSE_OTHERS = CompiledStatement(lambda: _close(REVIEWS.c.provider_id.is_(None)))
