"""Whom the retirement of a tool concerns: the customers who are mailed about it, and the orders that go on."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select

from panel.db import db, table_of
from panel.domain.status import Status
from panel.models import Favorite, Order
from panel.services.terms_notifications import USED_WITHIN

ORDERS, FAVORITES = table_of(Order), table_of(Favorite)


@dataclass(frozen=True, slots=True)
class RetirementPreview:
    """Customers who ordered the tool lately, its open orders, and the customers who have it among their favorites."""

    customers: int
    open_orders: int
    favorites: int


def preview(tool_id: int, *, now: datetime) -> RetirementPreview:
    """Whom it concerns; changes nothing."""
    of_tool = ORDERS.c.tool_id == tool_id
    lately = ORDERS.c.placed_at >= now - USED_WITHIN
    is_open = ORDERS.c.status.in_([status for status in Status if status.is_open])
    return RetirementPreview(
        _count(select(func.count(ORDERS.c.customer_id.distinct())).where(of_tool, lately)),
        _count(select(func.count()).select_from(ORDERS).where(of_tool, is_open)),
        _count(select(func.count()).select_from(FAVORITES).where(FAVORITES.c.tool_id == tool_id)),
    )


def _count(statement: Select[int]) -> int:
    return int(db.session.scalar(statement) or 0)
