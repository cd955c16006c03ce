"""Report flood: a provider with a new bad text on each poll; a limited number of texts is stored."""

import pytest
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs import sync
from panel.models import Order, OrderEvent, Provider, Review, Transfer
from tests.support.factories import reload
from tests.support.hostile_provider import HostileProvider, http_response
from tests.support.upstream import a_placed_order, assert_ledgers_match, dispatch_round

pytestmark = pytest.mark.both_engines

POLLS = 50
MOST = 20


def polled(server: HostileProvider, status: str, order: Order) -> None:
    server.answers["status"] = http_response({reload(order).provider_order_id: {"status": status, "remains": "5"}})
    with transaction():
        db.session.execute(update(Provider).values(call_after=None))
        db.session.execute(update(Order).where(Order.sync_at.is_not(None)).values(sync_at=utc_now()))
    sync.sweep(worker="test", wait=True)


def reviews() -> list[Review]:
    db.session.rollback()
    return list(db.session.scalars(select(Review).where(Review.kind == "report").order_by(Review.id)))


def notes() -> int:
    return len(
        db.session.scalars(
            select(OrderEvent.id).where(OrderEvent.kind == "noted", OrderEvent.source == "provider")
        ).all()
    )


def transfers() -> list[int]:
    return list(db.session.scalars(select(Transfer.id).order_by(Transfer.id)))


def test_ever_new_words_open_few_reviews_and_move_nothing(server: HostileProvider) -> None:
    server.takes_orders()
    order = a_placed_order()
    dispatch_round()
    version, money = reload(order).version, transfers()

    for number in range(POLLS):
        polled(server, f"Perhaps {number}", order)

    found = reviews()
    assert (len(found), notes()) == (MOST, MOST)
    assert [review.id for review in found if "further ones are not listed" in review.text] == [found[-1].id]
    assert (reload(order).version, order.status, transfers()) == (version, "pending", money)
    polled(server, "Partial", order)
    assert reload(order).status == "partial"
    assert_ledgers_match()


def test_a_text_that_was_reported_before_is_not_announced_as_the_last(server: HostileProvider) -> None:
    server.takes_orders()
    order = a_placed_order()
    dispatch_round()
    for number in range(MOST - 1):
        polled(server, f"Perhaps {number}", order)

    for number in range(MOST - 1):
        polled(server, f"Perhaps {number}", order)
    before = len(reviews())
    polled(server, "Perhaps not", order)

    assert (before, len(reviews())) == (MOST - 1, MOST)
    assert "Perhaps not" in reviews()[-1].raw
    assert notes() == MOST
