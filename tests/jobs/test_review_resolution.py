"""Review resolution of unconfirmed orders: each decision takes effect once."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import ActionRefused, PanelError
from panel.domain.status import Status
from panel.models import Attempt, AuditLogEntry, Cancellation, Order
from panel.services.money import ledger
from panel.services.office import review_resolution
from panel.services.office.review_resolution import Decision, Resolution
from panel.services.orders import cancellations, timeouts
from tests.support.factories import reload
from tests.support.hostile_provider import HostileProvider, http_response
from tests.support.upstream import a_placed_order, assert_ledgers_match, attempts, dispatch_round, open_reviews

pytestmark = pytest.mark.both_engines

BALANCE_NANOS = 1_000 * 10**9


def unconfirmed(server: HostileProvider) -> tuple[Order, int]:
    server.answers["add"] = http_response(b"")
    order = a_placed_order()
    dispatch_round()
    return reload(order), open_reviews("unconfirmed")[0].id


def resolved(review_id: int, decision: Decision, provider_id: str = "") -> None:
    resolution = Resolution(decision, "Looked at their pages.", actor="anna", provider_id=provider_id)
    with transaction():
        review_resolution.resolve(review_id, resolution, now=utc_now())


def test_an_operator_may_say_under_which_id_it_was_sent(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.SENT_AS, "0815")

    assert attempts(order) == ["sent"]
    assert (reload(order).provider_order_id, order.unconfirmed_at, order.sync_at is not None) == ("815", None, True)
    assert server.count("add") == 1
    assert db.session.scalars(select(AuditLogEntry.action)).all() == ["reviews resolve"]


@pytest.mark.parametrize("given", ["", "abc", "-1", "0", "1.5", "٣"])
def test_an_id_that_is_none_is_refused(server: HostileProvider, given: str) -> None:
    order, review_id = unconfirmed(server)

    with pytest.raises(PanelError):
        resolved(review_id, Decision.SENT_AS, given)

    assert attempts(order) == ["unknown"]
    assert len(open_reviews("unconfirmed")) == 1


def test_an_id_that_another_order_has_is_refused(server: HostileProvider) -> None:
    server.answers["add"] = http_response({"order": 55})
    a_placed_order()
    dispatch_round()
    _, review_id = unconfirmed(server)

    with pytest.raises(ActionRefused):
        resolved(review_id, Decision.SENT_AS, "55")


def test_an_operator_may_say_that_it_was_not_sent(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)
    server.takes_orders()

    resolved(review_id, Decision.NOT_SENT)
    dispatch_round()
    dispatch_round()

    assert attempts(order) == ["not_sent", "sent"]
    assert server.count("add") == 2


def test_order_resolved_as_not_sent_can_become_unconfirmed_again(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.NOT_SENT)
    dispatch_round()

    assert attempts(order) == ["not_sent", "unknown"]
    assert [review.id for review in open_reviews("unconfirmed")] != [review_id]


def test_an_operator_may_return_the_money(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.RETURN)
    with pytest.raises(ActionRefused):
        resolved(review_id, Decision.RETURN)
    dispatch_round()

    assert reload(order).status == Status.CANCELED
    assert ledger.balance_nanos(order.customer_id) == BALANCE_NANOS
    assert server.count("add") == 1
    assert_ledgers_match()


def test_a_cancellation_requested_during_the_call_is_sent_after_it(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())

    resolved(review_id, Decision.SENT_AS, "12")

    assert db.session.scalars(select(Cancellation)).one().due_at is not None
    assert open_reviews("cancel_by_hand") == []


def test_a_cancellation_requested_before_the_order_proved_unsent_ends_it(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=utc_now())

    resolved(review_id, Decision.NOT_SENT)
    dispatch_round()

    assert reload(order).status == Status.CANCELED
    assert server.count("add") == 1
    assert_ledgers_match()


def test_an_old_order_found_unsent_gets_its_whole_time_again(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)

    resolved(review_id, Decision.NOT_SENT)
    with transaction():
        db.session.execute(update(Order).values(placed_at=utc_now() - timedelta(hours=30)))
    with transaction():
        ended = timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=utc_now())

    assert ended == 0
    assert reload(order).status == Status.PENDING


@pytest.mark.parametrize(("hours", "status"), [(71.99, Status.PENDING), (72, Status.CANCELED)])
def test_unconfirmed_order_ends_after_its_hours_and_not_before(
    server: HostileProvider, hours: float, status: Status
) -> None:
    order, _review_id = unconfirmed(server)
    now = utc_now()
    with transaction():
        db.session.execute(update(Attempt).values(at=now - timedelta(hours=hours)))

    with transaction():
        timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=now)

    assert reload(order).status == status
    assert_ledgers_match()


def test_resolved_review_is_not_resolved_again(server: HostileProvider) -> None:
    order, review_id = unconfirmed(server)
    resolved(review_id, Decision.SENT_AS, "0815")

    with pytest.raises(ActionRefused, match="was resolved already"):
        resolved(review_id, Decision.SENT_AS, "0816")

    assert reload(order).provider_order_id == "815"
