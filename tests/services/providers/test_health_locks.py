"""Row locks of provider health: orders, catalogue, provider, always in this order, so that nothing deadlocks."""

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, lock_rows, transaction
from panel.domain.status import Status
from panel.models import Catalogue, Order, Provider
from panel.providers.base import Accepted, Unclear
from panel.services.orders import transitions
from panel.services.providers import health
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, a_provider, a_tool, an_order, reload


def set_unclear(provider_id: int, count: int) -> None:
    with transaction():
        db.session.execute(update(Provider).where(Provider.id == provider_id).values(unclear_adds=count))


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("before", "outcome", "after"),
    [(health.UNCLEAR_AFTER - 1, Unclear("502"), health.UNCLEAR_AFTER), (health.UNCLEAR_AFTER, Accepted("7"), 0)],
)
def test_import_and_report_about_a_provider_at_the_same_moment_do_not_deadlock(
    app: Flask, before: int, outcome: Unclear | Accepted, after: int
) -> None:
    provider_id = a_provider("panel_api").id
    set_unclear(provider_id, 0)
    for _ in range(health.UNCLEAR_AFTER):
        with transaction():
            health.heard_of_order(provider_id, Unclear("502"), now=NOON)
    set_unclear(provider_id, before)

    def report() -> None:
        with transaction():
            health.heard_of_order(provider_id, outcome, now=NOON)

    with transaction():
        db.session.execute(lock_rows(select(Catalogue.version))).all()
        reported = start_in_thread(app, report)
        db.session.execute(update(Provider).where(Provider.id == provider_id).values(catalogue_currency="EUR"))
    reported.result(30)

    row = reload(db.session.get_one(Provider, provider_id))
    assert (row.unclear_adds, row.catalogue_currency) == (after, "EUR")


@pytest.mark.both_engines
def test_resuming_and_a_concurrent_dispatch_result_do_not_deadlock(app: Flask) -> None:
    provider = a_provider("panel_api")
    order_id = an_order(tool=a_tool(provider=provider), status=Status.PENDING).id
    provider_id = provider.id
    set_unclear(provider_id, health.UNCLEAR_AFTER)
    with transaction():
        later = {"dispatch_at": NOON.replace(hour=13)}
        db.session.execute(update(Order).where(Order.id == order_id).values(**later))

    def resume() -> bool:
        with transaction():
            return health.resume(provider_id, now=NOON)

    with transaction():
        transitions.lock_order(order_id)
        resumed = start_in_thread(app, resume)
        health.heard_of_order(provider_id, Unclear("502"), now=NOON)

    assert resumed.result(30)
    assert reload(db.session.get_one(Provider, provider_id)).unclear_adds == 0
    assert reload(db.session.get_one(Order, order_id)).dispatch_at == NOON
