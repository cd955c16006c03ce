"""Cost of a drip-feed order: what its runs were charged, summed exactly, or an estimate while a part is missing."""

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.resale import UpstreamCharge
from panel.domain.status import Status
from panel.models import OrderCost, Provider, RunCost
from tests.flows.test_drip_feed import HOUR, DripFeedPanel

pytestmark = pytest.mark.both_engines


def charge(nanos: int, currency: str = "USD") -> dict[str, UpstreamCharge]:
    return {"charge": UpstreamCharge(nanos, currency)}


def cost_of(order_id: int) -> tuple[int, str, int | None] | None:
    db.session.rollback()
    found = db.session.get(OrderCost, order_id)
    return None if found is None else (found.charge_nanos, found.currency, found.cost_nanos)


def test_cost_of_a_drip_feed_order_is_the_sum_of_what_its_runs_were_charged(app: Flask) -> None:
    panel = DripFeedPanel()
    known = []
    for remains, words, nanos in ((0, "Completed", 40_000_001), (30, "Partial", 28_000_001), (0, "Completed", 39)):
        panel.send()
        panel.report("In progress", 99, **charge(41_000_000))
        panel.report(words, remains, **charge(nanos))
        known.append(cost_of(panel.order_id))
        panel.now += HOUR

    assert known == [None, None, (68_000_041, "USD", 68_000_041)]


def test_cost_is_the_sum_so_far_once_the_rest_is_canceled(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Completed", 0, **charge(40))
    before = cost_of(panel.order_id)

    panel.cancel()

    assert (before, cost_of(panel.order_id)) == (None, (40, "USD", 40))


def test_cost_is_unknown_where_one_run_has_no_charge(app: Flask) -> None:
    panel = DripFeedPanel()
    for more in (charge(40), {}, charge(40)):
        panel.send()
        panel.report("Completed", 0, **more)
        panel.now += HOUR

    assert panel.order.status == Status.COMPLETED
    assert cost_of(panel.order_id) is None


def test_runs_charged_at_other_exchange_rates_are_summed_in_our_currency(app: Flask) -> None:
    panel = DripFeedPanel()
    for exchange in (12_000_000, 20_000_000, 20_000_000):
        with transaction():
            provider = db.session.get_one(Provider, panel.tool.provider_id)
            provider.catalogue_currency, provider.exchange_nanos = "INR", exchange
        panel.send()
        panel.report("Completed", 0, **charge(25_500_000_000, "INR"))
        panel.now += HOUR

    cost = 306_000_000 + 2 * 510_000_000
    assert cost_of(panel.order_id) == (cost, "USD", cost)
    runs_of = select(RunCost.charge_nanos, RunCost.currency, RunCost.cost_nanos)
    assert tuple(db.session.execute(runs_of).first() or ()) == (25_500_000_000, "INR", 306_000_000)
