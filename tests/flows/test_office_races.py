"""Office races: two operators, repeated clicks and a poll at the same time move money once."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import Attempt, AuditLogEntry, Order, OrderAssignment, Review, Transfer, User
from panel.providers.base import StatusRequest, Unclear
from panel.services.orders import dispatch, goodwill, sync, timeouts
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_tool, an_operator, an_order, logged_in

pytestmark = pytest.mark.both_engines

POSTS = 32
Post = Callable[[], int]


def posts(app: Flask, operator: User, address: str, form: dict[str, object], *, times: int) -> list[Post]:
    """Actions that send this form from separate browsers of the operator; each returns the status code."""

    def post() -> Post:
        client = logged_in(app.test_client(), operator)
        return lambda: client.post(address, data=form).status_code

    return [post() for _ in range(times)]


def report(order_id: int, word: str, remains: int) -> Post:
    def sync_report() -> int:
        asked, reports = [StatusRequest(order_id, "given", "usual", 1_000)], {order_id: Report(word, remains)}
        with transaction():
            return sync.apply_reports(asked, reports, now=NOON)

    return sync_report


def mixed(*groups: list[Post]) -> list[Post]:
    """The actions of all groups, interleaved."""
    longest = max(map(len, groups))
    return [group[turn] for turn in range(longest) for group in groups if turn < len(group)]


def kinds_of(order_id: int) -> Counter[str]:
    db.session.rollback()
    return Counter(db.session.scalars(select(Transfer.kind).where(Transfer.order_id == order_id)))


def entries_logged(action: str) -> int:
    return db.session.scalar(select(func.count()).select_from(AuditLogEntry).where(AuditLogEntry.action == action)) or 0


def test_goodwill_decided_by_two_operators_at_once_is_given_once(app: Flask) -> None:
    order_id, (first, second) = an_order(status=Status.COMPLETED).id, (an_operator(), an_operator())
    address, form = f"/office/orders/{order_id}/goodwill", {"words": "Late.", "number": "1", "confirmed": "yes"}
    half = POSTS // 2

    answers = run_concurrently(
        app,
        mixed(
            posts(app, first, address, {**form, "amount": "0.5"}, times=half),
            posts(app, second, address, {**form, "amount": "0.25"}, times=half - 1),
            [report(order_id, "Completed", 0)],
        ),
    )

    assert Counter(answer for answer in answers if answer) == {303: 1, 409: POSTS - 2}
    assert kinds_of(order_id) == {"charge": 1, "keep": 1, "adjustment": 1}
    assert [gift.amount_nanos for gift in goodwill.given(order_id)] in ([500_000_000], [250_000_000])
    assert entries_logged("orders goodwill") == 1
    ledger_oracle.assert_consistent()


def test_refund_by_two_operators_and_a_poll_at_once_is_given_once(app: Flask) -> None:
    order = an_order(status=Status.IN_PROGRESS, provider="manual")
    order_id, version, (first, second) = order.id, order.version, (an_operator(), an_operator())
    address = f"/office/orders/{order_id}/status"
    form = {"version": str(version), "reason": "It broke off.", "confirmed": "yes"}

    answers = run_concurrently(
        app,
        mixed(
            posts(app, first, address, {**form, "to": "partial", "remains": "400"}, times=POSTS // 2),
            posts(app, second, address, {**form, "to": "canceled"}, times=POSTS // 2 - 1),
            [report(order_id, "Partial", 250)],
        ),
    )

    done = Counter(answers)
    assert done[303] + done[1] == 1, done
    assert done[409] == POSTS - 1 - done[303]
    moved = kinds_of(order_id)
    assert moved["charge"] == moved["return"] == 1
    assert moved["keep"] <= 1
    assert entries_logged("orders set") == done[303]
    ledger_oracle.assert_consistent()


def test_unconfirmed_order_is_returned_once_by_operators_and_by_time_at_once(app: Flask) -> None:
    tool, (first, second) = a_tool(), (an_operator(), an_operator())
    order_id = an_order(tool=tool).id
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(taken.attempt_id, Unclear("502"), now=NOON)
    review_id = db.session.scalars(select(Review.id)).one()

    def give_up() -> int:
        with transaction():
            return timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=NOON + timedelta(hours=80))

    address = f"/office/reviews/{review_id}/resolution"
    back, sent = ({"decision": "return"}, {"decision": "sent-as", "sent_as": "77"})
    why = {"reason": "Seen there.", "confirmed": "yes"}
    answers = run_concurrently(
        app,
        mixed(
            posts(app, first, address, back | why, times=POSTS // 2),
            posts(app, second, address, sent | why, times=POSTS // 2 - 1),
            [give_up],
        ),
    )

    settled = Counter(answers)
    assert settled[303] + settled[1] == 1, settled
    db.session.rollback()
    order = db.session.get_one(Order, order_id)
    assert (order.status, order.provider_order_id) in ((Status.CANCELED, None), (Status.PENDING, "77"))
    assert kinds_of(order_id)["return"] == (order.status == Status.CANCELED)
    assert db.session.scalar(select(func.count()).select_from(Attempt)) == 1
    assert entries_logged("reviews resolve") == settled[303]
    ledger_oracle.assert_consistent()


def test_one_of_two_operators_gets_an_order_that_both_claim(app: Flask) -> None:
    order_id, (first, second) = an_order(provider="manual").id, (an_operator(), an_operator())
    address = f"/office/orders/{order_id}/assignment"

    answers = run_concurrently(app, posts(app, first, address, {}, times=4) + posts(app, second, address, {}, times=4))

    assert Counter(answers) == {303: 4, 409: 4}
    db.session.rollback()
    winner = first.id if answers[0] == 303 else second.id
    assert db.session.scalars(select(OrderAssignment.operator_id)).one() == winner
