"""Active orders of the same tool and link as the ones that are about to be placed."""

from collections.abc import Collection

from sqlalchemy import select

from panel.db import db
from panel.domain.status import Status
from panel.models import Order
from panel.services.orders.placing import Quote

_MOVING = tuple(status for status in Status if status.is_moving)


def running_duplicates(customer_id: int, wanted: Collection[Quote]) -> dict[tuple[int, str], int]:
    """The newest active order by tool id and link, for these quotes.

    Two active orders for one link count each other's deliveries, so their counts become unreliable.
    """
    pairs = {(quote.offer.tool_id, quote.link) for quote in wanted}
    if not pairs:
        return {}
    statement = select(Order.tool_id, Order.link, Order.id).where(
        Order.customer_id == customer_id,
        Order.status.in_(_MOVING),
        Order.tool_id.in_({tool_id for tool_id, _link in pairs}),
        Order.link.in_({link for _tool_id, link in pairs}),
    )
    rows = db.session.execute(statement.order_by(Order.id))
    return {(tool_id, link): order_id for tool_id, link, order_id in rows if (tool_id, link) in pairs}
