"""The list of reviews: those with a deadline first, then the oldest, 40 a page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from panel.db import db
from panel.domain.review_kind import ReviewKind
from panel.models import Attempt, AttemptState, Order, Provider, Review, User
from panel.services.office.review_resolution import ASKS_ABOUT

PAGE_SIZE = 40

# Time settles these by itself; the rest waits for a person.
_rank: ColumnElement[int] = case((Review.kind.in_(list(ASKS_ABOUT)), 0), else_=1)


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A row of the list; `ends_at`: its time limit, and `left_seconds` until then."""

    review: Review
    provider: str
    ends_at: datetime | None
    left_seconds: int | None

    @property
    def label(self) -> str:
        return ReviewKind(self.review.kind).label


@dataclass(frozen=True, slots=True)
class Cursor:
    """Pagination cursor: rank and id of the review before the page."""

    rank: int
    review_id: int

    def __str__(self) -> str:
        return f"{self.rank}-{self.review_id}"


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Open reviews, and the cursor of the next page."""

    lines: tuple[ReviewRow, ...]
    next_after: Cursor | None


def open_page(
    *, kind: ReviewKind | None = None, after: Cursor | None = None, unconfirmed_hours: float, now: datetime
) -> ReviewPage:
    """One page of the open reviews, of one kind or of all."""
    found = select(Review, _rank).where(Review.resolved_at.is_(None))
    if kind is not None:
        found = found.where(Review.kind == kind)
    if after is not None:
        behind = and_(_rank == after.rank, Review.id > after.review_id)
        found = found.where(or_(_rank > after.rank, behind))
    rows = db.session.execute(found.order_by(_rank, Review.id).limit(PAGE_SIZE + 1)).all()
    shown = rows[:PAGE_SIZE]
    lines = _lines([row[0] for row in shown], unconfirmed_hours=unconfirmed_hours, now=now)
    return ReviewPage(lines, Cursor(shown[-1][1], shown[-1][0].id) if len(rows) > PAGE_SIZE else None)


def find(review_id: int, *, unconfirmed_hours: float, now: datetime) -> ReviewRow | None:
    """One review, open or resolved."""
    review = db.session.get(Review, review_id)
    return None if review is None else _lines([review], unconfirmed_hours=unconfirmed_hours, now=now)[0]


def counts() -> list[tuple[ReviewKind, int]]:
    """Number of open reviews by kind, in the order of the kinds."""
    open_ones = select(Review.kind, func.count()).where(Review.resolved_at.is_(None)).group_by(Review.kind)
    found = {row[0]: row[1] for row in db.session.execute(open_ones)}
    return [(kind, found[kind]) for kind in ReviewKind if kind in found]


def _lines(reviews: Sequence[Review], *, unconfirmed_hours: float, now: datetime) -> tuple[ReviewRow, ...]:
    names = {row[0]: row[1] for row in db.session.execute(select(Provider.id, Provider.name))}
    deadlines = _deadlines(reviews, unconfirmed_hours=unconfirmed_hours)
    lines = []
    for review in reviews:
        ends_at = deadlines.get((review.order_id or 0, review.kind))
        left = max(ends_at - now, timedelta()) // timedelta(seconds=1) if ends_at is not None else None
        lines.append(ReviewRow(review, names.get(review.provider_id or 0, ""), ends_at, left))
    return tuple(lines)


def _deadlines(reviews: Sequence[Review], *, unconfirmed_hours: float) -> dict[tuple[int, str], datetime]:
    """Time limits of these reviews, by order and kind."""
    asked = {kind.value: review_kind for review_kind, kind in ASKS_ABOUT.items()}
    ids = [review.order_id for review in reviews if review.kind in ASKS_ABOUT and review.resolved_at is None]
    rows = db.session.execute(
        select(Attempt.order_id, Attempt.kind, Attempt.at).where(
            Attempt.order_id.in_(ids), Attempt.state == AttemptState.UNKNOWN
        )
    )
    wait = timedelta(hours=unconfirmed_hours)
    return {(order_id, asked[kind]): at + wait for order_id, kind, at in rows if kind in asked}


@dataclass(frozen=True, slots=True)
class Stake:
    """The customer of a review's order, and what a cancellation would refund now."""

    customer: str
    held_nanos: int


def stake(order_id: int) -> Stake:
    """The customer and the refund at stake for this order."""
    row = db.session.execute(
        select(User.email, Order.charge_nanos - Order.kept_nanos - Order.returned_nanos)
        .join(User, User.id == Order.customer_id)
        .where(Order.id == order_id)
    ).one()
    return Stake(row[0], row[1])
