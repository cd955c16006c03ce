"""Costs of drip-feed orders: the sum of what providers charged for the runs, exact, or none while a part is missing."""

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import select

from panel import app_context
from panel.db import db, table_of
from panel.domain import resale
from panel.domain.resale import UpstreamCharge
from panel.models import OrderRun, RunCost
from panel.services.money import order_costs

RUNS, COSTS = table_of(OrderRun), table_of(RunCost)


def sum_up(order_ids: Collection[int], *, now: datetime) -> None:
    """Record the cost of those orders of which every run that was sent has a charge, and no run is still to be sent.

    The orders must be locked. Without it, the cost is estimated by the catalogue's rate.
    """
    if not order_ids:
        return
    charge = (COSTS.c.charge_nanos, COSTS.c.currency, COSTS.c.exchange_nanos, COSTS.c.cost_nanos)
    runs = db.session.execute(
        select(RUNS.c.order_id, RUNS.c.sent_at, RUNS.c.ended_at, *charge)
        .join(COSTS, COSTS.c.run_id == RUNS.c.id, isouter=True)
        .where(RUNS.c.order_id.in_(order_ids))
        .order_by(RUNS.c.order_id)
    )
    rows = []
    for order_id, each in groupby(runs, key=lambda run: run.order_id):
        found = _sum(list(each), now=now)
        if found is not None:
            rows.append({"order_id": order_id, **found})
    order_costs.write(order_costs.COSTS, rows, key="order_id")


def _sum(runs: Sequence[Any], *, now: datetime) -> dict[str, Any] | None:
    """The charge of all runs together; None where it isn't known."""
    sent = [run for run in runs if run.sent_at is not None]
    is_waiting = any(run.sent_at is None and run.ended_at is None for run in runs)
    if is_waiting or not sent or any(run.charge_nanos is None for run in sent):
        return None
    kinds = {(run.currency, run.exchange_nanos) for run in sent}
    if len(kinds) == 1:
        ((currency, exchange_nanos),) = kinds
        nanos = sum(run.charge_nanos for run in sent)
    elif all(run.cost_nanos is not None for run in sent):
        # Several providers, or another exchange rate in between: the sum is one of ours.
        currency, exchange_nanos = app_context.settings().currency, resale.NO_EXCHANGE
        nanos = sum(run.cost_nanos for run in sent)
    else:
        return None
    if nanos > resale.MAX_CHARGE_NANOS:
        return None
    cost = None if exchange_nanos is None else resale.in_ours(nanos, exchange_nanos=exchange_nanos)
    charge = UpstreamCharge(nanos, currency)
    return order_costs.row(charge, exchange_nanos=exchange_nanos, cost_nanos=cost, now=now)
