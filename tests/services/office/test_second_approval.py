"""Second approval: the effect of a credit, debit or deposit is shown first; above the limit two operators agree."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain import money
from panel.domain.errors import ActionRefused, BadInput, BadMoney, PanelError, StaleForm
from panel.models import AuditLogEntry, Proposal, ProposalKind, Transfer, User
from panel.services.money import ledger
from panel.services.office import approval_list, balance_changes, queues, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.office.queue_counts import LatenessLimits
from panel.services.office.second_approval import Done
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, an_operator, an_order, reload

LIMIT = money.parse_nanos("100")
CREDIT, DEBIT = ProposalKind.CREDIT, ProposalKind.DEBIT


def wanted(customer: User, operator: User, amount: str, kind: ProposalKind = CREDIT) -> BalanceChange:
    nanos = money.parse_nanos(amount)
    key = second_approval.new_form_key()
    return BalanceChange(kind, customer.id, nanos, "Paid by card.", key, operator.id, operator.email)


def acted(asked: BalanceChange, *, balance: str | None = None) -> Done:
    seen = ledger.balance_nanos(asked.customer_id) if balance is None else money.parse_nanos(balance)
    with transaction():
        return second_approval.move_or_propose(asked, balance_nanos=seen, limit_nanos=LIMIT, now=NOON)


def confirmed(proposal_id: int | None, operator_id: int, *, now: object = NOON) -> int:
    assert proposal_id is not None
    row = db.session.get_one(Proposal, proposal_id)
    balance = ledger.balance_nanos(row.customer_id)
    with transaction():
        return second_approval.confirm(  # type: ignore[return-value]
            proposal_id,
            operator_id=operator_id,
            actor="second",
            balance_nanos=balance,
            now=now,
        )


def balance_of(customer: User) -> str:
    db.session.rollback()
    return money.plain(ledger.balance_nanos(customer.id))


def transfers() -> int:
    return db.session.scalar(select(func.count()).select_from(Transfer).where(Transfer.kind == "adjustment")) or 0


@pytest.mark.both_engines
@pytest.mark.parametrize(("kind", "after"), [(CREDIT, "110.00"), (DEBIT, "5.00")])
def test_an_amount_up_to_the_limit_moves_at_once_with_a_line_in_the_log(kind: ProposalKind, after: str) -> None:
    customer, operator = a_customer("10"), an_operator()
    asked = wanted(customer, operator, "100" if kind is CREDIT else "5", kind)
    effect = balance_changes.effect(asked, limit_nanos=LIMIT, now=NOON)

    done = acted(asked)

    assert (money.plain(effect.before_nanos), money.plain(effect.after_nanos)) == ("10.00", after)
    assert balance_of(customer) == after
    assert done.proposal_id is None and done.transfer_id is not None
    line = db.session.scalars(select(AuditLogEntry).where(AuditLogEntry.subject == f"customer {customer.id}")).one()
    assert (line.actor, line.action) == (operator.email, f"customers {kind}")
    assert "Paid by card." in line.detail
    ledger_oracle.assert_consistent()


def test_an_amount_above_the_limit_moves_nothing_until_another_operator_confirms() -> None:
    customer, first, second = a_customer("10"), an_operator(), an_operator()

    done = acted(wanted(customer, first, "100.01"))
    held = balance_of(customer)
    with pytest.raises(ActionRefused, match="Another operator"):
        confirmed(done.proposal_id, first.id)
    number = confirmed(done.proposal_id, second.id)

    assert (done.transfer_id, held, balance_of(customer)) == (None, "10.00", "110.01")
    shown = approval_list.find(done.proposal_id or 0, now=NOON)
    assert shown is not None
    assert (shown.state, shown.row.transfer_id, shown.decider) == ("confirmed", number, second.email)
    assert len(approval_list.waiting(now=NOON)) == 0
    ledger_oracle.assert_consistent()


@pytest.mark.both_engines
def test_two_operators_who_confirm_at_once_move_the_money_once(app: Flask) -> None:
    customer, first = a_customer("10"), an_operator()
    others = [an_operator().id for _ in range(6)]
    proposal_id = acted(wanted(customer, first, "500")).proposal_id
    balance = ledger.balance_nanos(customer.id)

    def confirm(operator_id: int) -> object:
        def do() -> int:
            with transaction():
                return second_approval.confirm(  # type: ignore[return-value]
                    proposal_id or 0, operator_id=operator_id, actor="x", balance_nanos=balance, now=NOON
                )

        return do

    answers = run_concurrently(app, [confirm(each) for each in others], expected=PanelError)

    assert sum(isinstance(answer, int) for answer in answers) == 1
    assert balance_of(customer) == "510.00"
    assert transfers() == 1
    ledger_oracle.assert_consistent()


@pytest.mark.both_engines
def test_a_form_sent_twice_at_once_moves_its_money_once(app: Flask) -> None:
    customer, operator = a_customer("10"), an_operator()
    small, large = wanted(customer, operator, "7"), wanted(customer, operator, "700")
    balance = ledger.balance_nanos(customer.id)

    def moved_or_proposed(asked: BalanceChange) -> object:
        def do() -> Done:
            with transaction():
                return second_approval.move_or_propose(asked, balance_nanos=balance, limit_nanos=LIMIT, now=NOON)

        return do

    proposed = run_concurrently(app, [moved_or_proposed(large)] * 4, expected=PanelError)
    moved = run_concurrently(app, [moved_or_proposed(small)] * 4, expected=PanelError)

    assert sum(isinstance(each, Done) for each in proposed) == 1
    assert sum(isinstance(each, Done) for each in moved) == 1
    assert {type(each) for each in (*proposed, *moved)} == {Done, StaleForm}
    assert (balance_of(customer), transfers(), len(approval_list.waiting(now=NOON))) == ("17.00", 1, 1)


@pytest.mark.both_engines
def test_a_debit_never_takes_more_than_there_is_however_many_come_at_once(app: Flask) -> None:
    customer, operator = a_customer("10"), an_operator()
    asked = [wanted(customer, operator, "6", DEBIT) for _ in range(4)]
    balance = ledger.balance_nanos(customer.id)

    def take(each: BalanceChange) -> object:
        def do() -> Done:
            with transaction():
                return second_approval.move_or_propose(each, balance_nanos=balance, limit_nanos=LIMIT, now=NOON)

        return do

    answers = run_concurrently(app, [take(each) for each in asked], expected=PanelError)

    assert sum(isinstance(answer, Done) for answer in answers) == 1
    assert balance_of(customer) == "4.00"
    with pytest.raises(BadMoney, match=r"The balance is 4\.00"):
        acted(wanted(customer, operator, "4.01", DEBIT))
    ledger_oracle.assert_consistent()


def test_a_balance_that_moved_since_the_look_is_looked_at_again() -> None:
    customer, operator = a_customer("10"), an_operator()

    with pytest.raises(StaleForm, match="balance has changed"):
        acted(wanted(customer, operator, "5"), balance="11")

    assert balance_of(customer) == "10.00"


def test_a_confirmed_debit_that_the_balance_no_longer_covers_moves_nothing() -> None:
    customer, first, second = a_customer("500"), an_operator(), an_operator()
    done = acted(wanted(customer, first, "400", DEBIT))
    an_order(customer=customer, quantity=500_000, maximum=1_000_000, price="0.90")

    with pytest.raises(BadMoney):
        confirmed(done.proposal_id, second.id)

    assert balance_of(customer) == "50.00"
    assert len(approval_list.waiting(now=NOON)) == 1


def test_a_proposal_is_refused_by_another_or_taken_back_by_its_own_operator() -> None:
    customer, first, second = a_customer("10"), an_operator(), an_operator()
    refused, taken_back = (acted(wanted(customer, first, "200")).proposal_id or 0 for _ in range(2))

    with transaction():
        second_approval.refuse(refused, reason="No such payment.", operator_id=second.id, actor="b", now=NOON)
    with transaction():
        second_approval.refuse(taken_back, reason="A slip.", operator_id=first.id, actor="a", now=NOON)

    for proposal_id in (refused, taken_back):
        with pytest.raises(ActionRefused, match="decided before"):
            confirmed(proposal_id, second.id)
    assert [row.decided_by for row in map(reload, db.session.scalars(select(Proposal)))] == [second.id, None]
    assert balance_of(customer) == "10.00"


def test_pending_approvals_are_a_queue_of_the_office() -> None:
    customer, operator = a_customer("10"), an_operator()
    acted(wanted(customer, operator, "200"))
    limits = LatenessLimits(dispatch_hours=24, stuck_hours=24, unconfirmed_hours=72)

    found = {queue.name: queue for queue in queues.all_queues(limits, now=NOON)}["approvals"]
    later = {queue.name: queue for queue in queues.all_queues(limits, now=NOON + second_approval.LASTS)}["approvals"]

    assert (found.count, found.oldest, found.ends_at) == (1, NOON, NOON + second_approval.LASTS)
    assert later.count == 0


def test_a_proposal_runs_out_and_moves_nothing_then() -> None:
    customer, first, second = a_customer("10"), an_operator(), an_operator()
    done = acted(wanted(customer, first, "200"))
    late = NOON + second_approval.LASTS

    with pytest.raises(ActionRefused, match="run out"):
        confirmed(done.proposal_id, second.id, now=late)

    shown = approval_list.find(done.proposal_id or 0, now=late)
    assert shown is not None and shown.state == "expired"
    assert approval_list.waiting(now=late) == []
    assert [each.row.id for each in approval_list.waiting(now=late - timedelta(seconds=1))] == [done.proposal_id]
    assert balance_of(customer) == "10.00"


def test_an_operators_own_account_is_another_operators_matter() -> None:
    operator, second = an_operator(), an_operator()

    with pytest.raises(ActionRefused, match="your own account"):
        acted(wanted(operator, operator, "5"))
    done = acted(wanted(operator, second, "200"))
    with pytest.raises(ActionRefused, match="your own account"):
        confirmed(done.proposal_id, operator.id)

    assert balance_of(operator) == "0.00"


@pytest.mark.parametrize(("amount", "reason"), [("0", "Good."), ("5", ""), ("5", "two\nlines"), ("5", "x" * 201)])
def test_nothing_moves_without_an_amount_and_a_reason(amount: str, reason: str) -> None:
    customer, operator = a_customer("10"), an_operator()

    with pytest.raises(BadInput):
        acted(replace(wanted(customer, operator, amount), reason=reason))

    assert balance_of(customer) == "10.00"
