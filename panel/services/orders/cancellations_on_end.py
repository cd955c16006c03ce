"""Closes cancellation requests, and their reviews, of orders that have reached a final status."""

from datetime import datetime

from sqlalchemy import bindparam, case, null, select, update

from panel.db import table_of
from panel.db.compiled_statements import CompiledStatement, in_list
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Cancellation, CancellationState, Order, Review

ORDERS = table_of(Order)
CANCELLATIONS = table_of(Cancellation)
REVIEWS = table_of(Review)

_ENDED = select(ORDERS.c.status).where(ORDERS.c.id == CANCELLATIONS.c.order_id).scalar_subquery()
_RAN_IN_FULL = _ENDED == Status.COMPLETED
_CLOSE_REQUESTS = CompiledStatement(
    lambda: (
        update(CANCELLATIONS)
        .where(in_list(CANCELLATIONS.c.order_id, "ids"), CANCELLATIONS.c.state == CancellationState.ASKED)
        .values(
            state=case((_RAN_IN_FULL, CancellationState.REFUSED.value), else_=CancellationState.ACCEPTED.value),
            reason=case((_RAN_IN_FULL, "The order was Completed before it could be stopped."), else_=""),
            answered_at=bindparam("b_now"),
            due_at=null(),
        )
    )
)
_CLOSE_REVIEWS = CompiledStatement(
    lambda: (
        update(REVIEWS)
        .where(
            in_list(REVIEWS.c.order_id, "ids"),
            REVIEWS.c.kind == ReviewKind.CANCEL_BY_HAND,
            REVIEWS.c.resolved_at.is_(None),
        )
        .values(resolved_at=bindparam("b_now"), resolution="The order has ended.")
    )
)


def close(order_ids: list[int], *, now: datetime) -> None:
    """Close the open cancellation requests of these orders, which have reached a final status."""
    _CLOSE_REQUESTS.execute([{"ids": order_ids, "b_now": now}])
    _CLOSE_REVIEWS.execute([{"ids": order_ids, "b_now": now}])
