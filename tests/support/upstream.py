"""Helpers for orders at the fake provider."""

from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import WRITES, db, transaction
from panel.jobs import dispatch
from panel.models import Attempt, Order, Provider, Review
from panel.services.money import audit
from tests.support.factories import a_customer, a_tool, an_order

# Balance of an order's customer before it was placed.
BALANCE_NANOS = 1_000 * 10**9


def upstream() -> Provider:
    if not db.session().info.get(WRITES):
        db.session.rollback()
    return db.session.scalars(select(Provider).where(Provider.kind == "panel_api")).one()


def a_placed_order(**more: object) -> Order:
    tool = more.pop("tool", None) or a_tool(provider=upstream(), provider_service="7")
    return an_order(customer=a_customer("1000"), tool=tool, now=utc_now(), **more)  # type: ignore[arg-type]


def dispatch_round() -> None:
    """Run one round of dispatch, with all back-off waits ended."""
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Order).where(Order.dispatch_at.is_not(None)).values(dispatch_at=utc_now()))
    dispatch.sweep(worker="test", wait=True)


def attempts(order: Order) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Attempt.state).where(Attempt.order_id == order.id).order_by(Attempt.id)))


def open_reviews(kind: str) -> list[Review]:
    db.session.rollback()
    return list(db.session.scalars(select(Review).where(Review.kind == kind, Review.resolved_at.is_(None))))


def assert_ledgers_match() -> None:
    db.session.rollback()
    assert audit.audit().differences == ()
