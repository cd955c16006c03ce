"""Fail-over: an order that its provider proved not to have goes on to the tool's next provider.

Proved means: a refusal that concerns the provider, or an order that was never sent because its provider is paused. An
unclear answer, also one of which an operator found that nothing was sent, a failed connection and a refusal that
concerns the order never pass an order on. Each hop is a note in the timeline; the order's row says who has it, and
every later call goes there.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update

from panel.db import db, table_of
from panel.models import Attempt, Order, Provider, ToolRoute
from panel.services import test_orders
from panel.services.catalogue import route_fit, routes
from panel.services.catalogue.routes import Route
from panel.services.orders import transitions
from panel.services.orders.transitions import Note, OrderRow

ORDERS = table_of(Order)
# How an attempt's answer begins that a provider refused because it doesn't offer the service.
NO_SERVICE = "Not offered there: "
# Answer of an attempt that was unclear until an operator looked.
FOUND_NOT_SENT = "An operator found that it was not sent."
PASSED_ON = "The provider doesn’t offer this tool any more, so the order goes to another one."
WAITED = "The provider takes no orders right now, so the order goes to another one."
MOST = 200
# An order that nobody else may get doesn't stand in the way of the others.
LOOK_AGAIN = timedelta(minutes=1)


def waiting(*, now: datetime) -> list[int]:
    """Ids of due orders whose provider is paused while another provider of their tool takes orders."""
    paused = db.session.scalars(select(Provider.id).where(Provider.paused_at.is_not(None))).all()
    if not paused:
        return []
    tools = db.session.scalars(select(ToolRoute.tool_id).distinct()).all()
    movable = [
        tool_id for tool_id, found in routes.of_tools(tools).items() if any(not each.is_paused for each in found)
    ]
    if not movable:
        return []
    found = select(ORDERS.c.id).where(
        ORDERS.c.provider_id.in_(paused), ORDERS.c.dispatch_at <= now, ORDERS.c.tool_id.in_(movable)
    )
    return list(db.session.scalars(found.order_by(ORDERS.c.dispatch_at, ORDERS.c.id).limit(MOST)))


def pass_on_waiting(order_ids: Collection[int], *, now: datetime) -> int:
    """Pass on those of these orders that still wait for a paused provider; returns how many."""
    orders = transitions.lock_orders(order_ids)
    # With the locks: an order whose intent another worker has written since then is not due any more. A drip-feed whose
    # next run is due has a status of its own.
    still = (ORDERS.c.id.in_(orders), ORDERS.c.dispatch_at.is_not(None))
    rows = db.session.execute(
        select(ORDERS.c.id, ORDERS.c.tool_id)
        .join(Provider, Provider.id == ORDERS.c.provider_id)
        .where(*still, Provider.paused_at.is_not(None))
    ).all()
    by_tool = routes.of_tools({tool_id for _id, tool_id in rows})
    count = 0
    for order_id, tool_id in rows:
        order = orders[order_id]
        target = next(iter(_left(order, by_tool[tool_id], is_paused=False)), None)
        if target is None:
            transitions.set_schedule(order, dispatch_at=now + LOOK_AGAIN)
            continue
        _pass_on(order, target, text=WAITED, now=now)
        count += 1
    return count


def pass_on_refused(order: OrderRow, *, now: datetime) -> bool:
    """Pass on an order that its provider refused because it doesn't offer the service; False if nobody else is left.

    The order is locked, and the refusal recorded with `NO_SERVICE`.
    """
    if order.is_asked_to_stop:
        return False
    tool_id = db.session.scalars(select(ORDERS.c.tool_id).where(ORDERS.c.id == order.id)).one()
    found = routes.of_tool(tool_id)
    # With a paused one it waits, as any order of a paused provider does.
    left = _left(order, found, is_paused=False) or _left(order, found, is_paused=True)
    if not left:
        return False
    _pass_on(order, left[0], text=PASSED_ON, now=now)
    return True


def _left(order: OrderRow, found: Sequence[Route], *, is_paused: bool) -> list[Route]:
    """The other providers whose service fits, except those without it: the paused ones or the others."""
    attempts = db.session.scalars(select(Attempt).where(Attempt.order_id == order.id)).all()
    if any(attempt.answer == FOUND_NOT_SENT for attempt in attempts) or _is_test(order):
        return []
    without = {each.provider_id for each in attempts if each.answer.startswith(NO_SERVICE)}
    left_out = {order.provider_id, *without}
    fitting = route_fit.of_order(order.id, found)
    left = [route for route in fitting if route.is_paused is is_paused and route.provider_id not in left_out]
    # Nobody delivers the runs of a drip-feed by hand.
    return [route for route in left if not (order.has_runs and route.is_manual)]


def _is_test(order: OrderRow) -> bool:
    """Whether it is a test order: no provider but the simulator ever gets it."""
    return db.session.scalar(select(ORDERS.c.id).where(ORDERS.c.id == order.id, test_orders.is_order(ORDERS.c.id))) == (
        order.id
    )


def _pass_on(order: OrderRow, target: Route, *, text: str, now: datetime) -> None:
    # Orders by hand have no due time: an operator takes them from the queue.
    dispatch_at = None if target.is_manual else now
    values = {"provider_id": target.provider_id, "provider_service": target.service, "dispatch_at": dispatch_at}
    db.session.execute(update(ORDERS).where(ORDERS.c.id == order.id).values(**values))
    transitions.add_notes([Note(order, text)], now=now)
