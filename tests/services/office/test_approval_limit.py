"""Approval limit over 24 hours: splitting an amount doesn't avoid the second operator, also in a race."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain import money
from panel.domain.errors import ActionRefused, PanelError
from panel.domain.status import Status
from panel.models import AuditLogEntry, ProposalKind, UnapprovedTransfer, User
from panel.services.money import deposits, ledger
from panel.services.office import approval_list, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.office.second_approval import Done
from panel.services.orders import goodwill
from panel.services.orders.goodwill import Gift
from tests.services.office.test_second_approval import DEBIT, LIMIT, acted, balance_of, confirmed, wanted
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, an_operator, an_order

DAY = timedelta(hours=24)


def moves(asked: BalanceChange, *, now: datetime = NOON) -> Callable[[], Done]:
    def move() -> Done:
        with transaction():
            seen = ledger.balance_nanos(asked.customer_id)
            return second_approval.move_or_propose(asked, balance_nanos=seen, limit_nanos=LIMIT, now=now)

    return move


def gives(order_id: int, operator: User, amount: str, *, number: int = 1) -> Callable[[], int]:
    gift = Gift(money.parse_nanos(amount), "It ran late.", number, operator.email, operator.id, LIMIT)

    def give() -> int:
        with transaction():
            return goodwill.give(order_id, gift, now=NOON)

    return give


def unapproved() -> str:
    db.session.rollback()
    return money.plain(sum(db.session.scalars(select(UnapprovedTransfer.amount_nanos))))


def a_costly_order(customer: User) -> int:
    return an_order(customer=customer, quantity=100_000, maximum=1_000_000, price="0.90", status=Status.COMPLETED).id


@pytest.mark.both_engines
def test_450_in_five_credits_of_90_needs_a_second_operator_from_the_second_credit_on() -> None:
    customer, operator = a_customer("10"), an_operator()

    done = [acted(wanted(customer, operator, "90")) for _ in range(5)]

    assert [each.transfer_id is not None for each in done] == [True, False, False, False, False]
    assert (balance_of(customer), len(approval_list.waiting(now=NOON))) == ("100.00", 4)
    assert unapproved() == "90.00"
    ledger_oracle.assert_consistent()


def test_one_operator_at_many_customers_and_many_operators_at_one_customer_have_one_limit() -> None:
    customer, operator = a_customer("10"), an_operator()
    acted(wanted(customer, operator, "90"))

    by_the_same = acted(wanted(a_customer("10"), operator, "10.01"))
    by_another = acted(wanted(customer, an_operator(), "10.01"))
    within = acted(wanted(a_customer("10"), an_operator(), "100"))
    to_the_limit = acted(wanted(customer, operator, "10"))

    assert by_the_same.proposal_id is not None and by_another.proposal_id is not None
    assert within.transfer_id is not None and to_the_limit.transfer_id is not None


def test_debits_deposits_and_goodwill_count_like_credits() -> None:
    customer, operator = a_customer("500"), an_operator()
    order_id = a_costly_order(customer)
    acted(wanted(customer, operator, "30", DEBIT))
    gives(order_id, operator, "30")()
    with transaction():
        request = deposits.request_deposit(customer.id, amount_nanos=money.parse_nanos("30"), now=NOON)
        deposit_id = request.id
    deposit = wanted(customer, operator, "30", ProposalKind.DEPOSIT)
    acted(BalanceChange(*(getattr(deposit, name) for name in deposit.__slots__[:-1]), deposit_id=deposit_id))

    with pytest.raises(ActionRefused, match=r"90\.00 for this customer and 90\.00 by you"):
        gives(order_id, operator, "10.01", number=2)()
    done = acted(wanted(customer, operator, "10.01", DEBIT))

    assert done.proposal_id is not None
    assert unapproved() == "90.00"


def test_approved_and_day_old_amounts_do_not_count_toward_the_limit() -> None:
    customer, first, second = a_customer("10"), an_operator(), an_operator()
    confirmed(acted(wanted(customer, first, "500")).proposal_id, second.id)
    moves(wanted(customer, first, "100"))()

    too_early = moves(wanted(customer, first, "1"), now=NOON + DAY - timedelta(seconds=1))()
    in_time = moves(wanted(customer, first, "100"), now=NOON + DAY)()

    assert (too_early.transfer_id, in_time.proposal_id) == (None, None)
    assert balance_of(customer) == "710.00"


@pytest.mark.both_engines
def test_credits_of_two_operators_at_the_same_moment_stay_within_the_customers_limit(app: Flask) -> None:
    customer = a_customer("10")
    asked = [wanted(customer, an_operator(), "60") for _ in range(2)]
    balance = ledger.balance_nanos(customer.id)

    def moved(each: BalanceChange) -> Callable[[], Done]:
        def do() -> Done:
            with transaction():
                return second_approval.move_or_propose(each, balance_nanos=balance, limit_nanos=LIMIT, now=NOON)

        return do

    run_concurrently(app, [moved(each) for each in asked], expected=PanelError)

    assert balance_of(customer) == "70.00"


@pytest.mark.both_engines
def test_credits_of_one_operator_to_many_customers_at_the_same_moment_stay_within_the_limit(app: Flask) -> None:
    operator = an_operator()
    asked = [wanted(a_customer("10"), operator, "60") for _ in range(6)]

    answers = run_concurrently(app, [moves(each) for each in asked], expected=PanelError)

    assert sum(answer.transfer_id is not None for answer in answers) == 1
    assert (len(approval_list.waiting(now=NOON)), unapproved()) == (5, "60.00")
    ledger_oracle.assert_consistent()


@pytest.mark.both_engines
def test_goodwill_for_many_orders_at_the_same_moment_stays_within_the_limit(app: Flask) -> None:
    operator = an_operator()
    orders = [a_costly_order(a_customer("100")) for _ in range(4)]

    answers = run_concurrently(app, [gives(order_id, operator, "60") for order_id in orders], expected=PanelError)

    assert sum(isinstance(answer, int) for answer in answers) == 1
    assert unapproved() == "60.00"


@pytest.mark.both_engines
def test_operators_who_credit_each_other_at_the_same_moment_do_not_deadlock(app: Flask) -> None:
    first, second = an_operator(), an_operator()
    asked = [wanted(first, second, "1"), wanted(second, first, "1")] * 4
    asked = [
        BalanceChange(**{name: getattr(each, name) for name in each.__slots__} | {"form_key": f"{number:024x}"})
        for number, each in enumerate(asked)
    ]

    answers = run_concurrently(app, [moves(each) for each in asked], expected=PanelError)

    assert sum(isinstance(answer, Done) for answer in answers) >= 2


def test_money_added_from_the_command_line_is_not_stopped_but_counts_for_the_customer(app: Flask) -> None:
    customer, operator = a_customer("10"), an_operator()

    done = app.test_cli_runner().invoke(args=["balance", "add", customer.email, "500", "--note", "By wire."])
    asked = acted(wanted(customer, operator, "1"))
    elsewhere = acted(wanted(a_customer("10"), operator, "100"))

    assert done.exit_code == 0, done.output
    assert (asked.transfer_id, elsewhere.proposal_id, balance_of(customer)) == (None, None, "510.00")
    line = db.session.scalars(select(AuditLogEntry).where(AuditLogEntry.action == "balance add")).one()
    assert (line.subject, "By wire." in line.detail) == (f"customer {customer.id}", True)
