"""Goodwill: an operator returns at most what was kept, and once per decision."""

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, BadMoney, PanelError, StaleForm
from panel.domain.status import Status
from panel.models import AccountKind, AuditLogEntry, Order, OrderEvent, Transfer, TransferKind, User
from panel.services.money import ledger
from panel.services.money.audit import audit
from panel.services.money.ledger import Posting
from panel.services.orders import detail as order_detail
from panel.services.orders import goodwill, request_progress
from panel.services.orders.goodwill import Gift
from tests.support import ledger_oracle
from tests.support.factories import NOON, an_operator, an_order, reload

KEPT = 900_000_000
OLGA, LIMIT = "olga", 10**9


def give(order: Order, amount_nanos: int, *, number: int = 1, words: str = "It ran late.", operator: int = 0) -> int:
    operator = operator or an_operator().id
    with transaction():
        gift = Gift(amount_nanos, words, number, OLGA, operator, LIMIT)
        return goodwill.give(order.id, gift, now=NOON)


def refused(order: Order, error: type[PanelError], amount_nanos: int, **changes: object) -> None:
    """Assert that the action is refused and writes nothing."""
    changes.setdefault("operator", an_operator().id)
    untouched = ledger_oracle.all_rows()
    with pytest.raises(error):
        give(order, amount_nanos, **changes)  # type: ignore[arg-type]
    assert ledger_oracle.all_rows() == untouched


def test_goodwill_is_a_transfer_of_its_own_that_leaves_the_order_as_it_was() -> None:
    order = an_order(status=Status.COMPLETED)
    before, balance = reload(order).version, ledger.balance_nanos(order.customer_id)

    line = give(order, 250_000_000)

    assert ledger.balance_nanos(order.customer_id) == balance + 250_000_000
    order = reload(order)
    assert (order.kept_nanos, order.returned_nanos, order.version) == (KEPT, 0, before)
    transfer = db.session.get_one(Transfer, line)
    assert (transfer.kind, transfer.order_id, transfer.note) == ("adjustment", order.id, "It ran late.")
    assert goodwill.room(order.id) == goodwill.Room(left_nanos=KEPT - 250_000_000, number=2)
    ledger_oracle.assert_consistent()
    assert audit().differences == ()


def test_goodwill_reads_the_money_of_the_order_once() -> None:
    order, operator = an_order(status=Status.COMPLETED), an_operator().id
    statements: list[str] = []

    def note(*call: object) -> None:
        statements.append(str(call[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        give(order, 250_000_000, operator=operator)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)

    assert sum("orders.kept_nanos" in statement for statement in statements) == 1, statements


def test_goodwill_is_in_the_timeline_and_in_the_audit_log() -> None:
    order = an_order(status=Status.COMPLETED)
    seen = db.session.scalars(select(User.state_version).where(User.id == order.customer_id)).one()

    give(order, 250_000_000)

    event = db.session.scalars(select(OrderEvent).order_by(OrderEvent.id.desc())).first()
    assert event is not None
    assert event.text == "We returned $0.25 to your balance. It ran late."
    assert db.session.scalars(select(User.state_version).where(User.id == order.customer_id)).one() > seen
    log = db.session.scalars(select(AuditLogEntry)).one()
    assert (log.actor, log.action, log.subject) == (OLGA, "orders goodwill", f"order {order.id}")
    assert log.detail == "0.25 returned: It ran late."


def test_all_that_was_kept_can_go_back_in_parts_and_not_a_nano_more() -> None:
    order = an_order(status=Status.PARTIAL, remains=400)

    give(order, 500_000_000)
    give(order, 40_000_000, number=2)

    refused(order, ActionRefused, 1, number=3)
    assert [gift.amount_nanos for gift in goodwill.given(order.id)] == [500_000_000, 40_000_000]
    assert audit().differences == ()


@pytest.mark.parametrize("amount_nanos", [0, -1, KEPT + 1])
def test_amounts_outside_what_is_kept_are_refused(amount_nanos: int) -> None:
    refused(an_order(status=Status.COMPLETED), BadMoney, amount_nanos)


@pytest.mark.parametrize("status", [Status.PENDING, Status.IN_PROGRESS, Status.CANCELED])
def test_nothing_goes_back_where_nothing_is_kept(status: Status) -> None:
    refused(an_order(status=status), ActionRefused, 1)


def test_same_decision_sent_twice_returns_once() -> None:
    order = an_order(status=Status.COMPLETED)
    give(order, 100_000_000)

    refused(order, StaleForm, 100_000_000, number=1)


@pytest.mark.parametrize("words", ["", "  ", "two\nlines", "w" * 201])
def test_goodwill_needs_words_on_one_line(words: str) -> None:
    refused(an_order(status=Status.COMPLETED), BadInput, 1, words=words)


def test_own_order_is_left_to_another_operator() -> None:
    order = an_order(status=Status.COMPLETED)

    refused(order, ActionRefused, 1, operator=order.customer_id)


def test_more_than_one_operator_may_return_for_one_order_is_refused_however_it_is_split() -> None:
    order = an_order(status=Status.COMPLETED, quantity=2_000)
    give(order, 600_000_000)

    refused(order, ActionRefused, 400_000_001, number=2)
    give(order, 400_000_000, number=2)


def test_limit_of_one_order_holds_beyond_the_24_hours_that_are_summed() -> None:
    order, operator_id = an_order(status=Status.COMPLETED, quantity=2_000), an_operator().id
    give(order, 600_000_000)
    a_day_later = NOON + timedelta(hours=25)

    goodwill.check(order.id, Gift(400_000_000, "It ran late.", 2, OLGA, operator_id, LIMIT), now=a_day_later)
    with pytest.raises(ActionRefused, match="for one order"):
        goodwill.check(order.id, Gift(400_000_001, "It ran late.", 2, OLGA, operator_id, LIMIT), now=a_day_later)


def test_receipt_of_a_completed_order_names_later_refunds() -> None:
    order = an_order(status=Status.COMPLETED)
    before = order_detail.find(order.id, customer_id=order.customer_id)

    give(order, 100_000_000)

    own = order_detail.find(order.id, customer_id=order.customer_id)
    assert before is not None
    assert own is not None
    assert request_progress.receipt(before) is None
    receipt = request_progress.receipt(own)
    assert receipt is not None
    assert (receipt.amount_nanos, receipt.total_nanos) == (0, 100_000_000)
    assert [gift.words for gift in receipt.gifts] == ["It ran late."]


def test_audit_finds_goodwill_above_what_was_kept_and_to_the_wrong_customer() -> None:
    order, other = an_order(status=Status.COMPLETED), an_order(status=Status.COMPLETED)

    def adjust(user_id: int, amount_nanos: int, reason: str) -> None:
        with transaction():
            pot, kind = AccountKind.ADJUSTMENTS, TransferKind.ADJUSTMENT
            ledger.post([Posting(pot, user_id, amount_nanos, kind, reason, order_id=order.id)], now=NOON)

    adjust(order.customer_id, KEPT + 1, "too much")
    adjust(other.customer_id, 5, "not theirs")

    first = db.session.scalars(select(Transfer.id).where(Transfer.reason == "not theirs")).one()
    assert audit().differences == (
        f"Transfer {first} (adjustment) runs between the wrong accounts.",
        f"Order {order.id} kept {KEPT} nanos, and {KEPT + 6} were returned for it later.",
    )


def test_audit_finds_one_nano_above_what_was_kept() -> None:
    order = an_order(status=Status.COMPLETED)

    with transaction():
        pot, kind = AccountKind.ADJUSTMENTS, TransferKind.ADJUSTMENT
        ledger.post([Posting(pot, order.customer_id, KEPT + 1, kind, "too much", order_id=order.id)], now=NOON)

    assert audit().differences == (f"Order {order.id} kept {KEPT} nanos, and {KEPT + 1} were returned for it later.",)
