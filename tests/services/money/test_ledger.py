"""Ledger: money moves between accounts, never from nowhere, never below zero, never twice for one reason."""

import pytest
from sqlalchemy.exc import DatabaseError, IntegrityError

from panel.db import transaction
from panel.domain.errors import BadMoney, InsufficientBalance
from panel.domain.status import Status
from panel.models import AccountKind, TransferKind
from panel.services.money import account_entries, ledger
from panel.services.money.ledger import Posting
from tests.support import ledger_oracle
from tests.support.factories import NOON, a_customer, a_tool, an_order

pytestmark = pytest.mark.both_engines


def charge(customer_id: int, amount_nanos: int, *, reason: str = "test:charge") -> Posting:
    return Posting(customer_id, AccountKind.SALES, amount_nanos, TransferKind.ADJUSTMENT, reason)


def post(*postings: Posting) -> None:
    with transaction():
        ledger.post(postings, now=NOON)


def test_deposit_is_spendable_to_the_nano() -> None:
    customer = a_customer("0")

    with transaction():
        ledger.deposit(customer.id, amount_nanos=1, reason="deposit:one nano", note="Arrived.", now=NOON)

    assert ledger.balance_nanos(customer.id) == 1
    post(charge(customer.id, 1))
    assert ledger.balance_nanos(customer.id) == 0
    ledger_oracle.assert_consistent()


def test_deposit_that_no_column_could_hold_is_refused() -> None:
    customer = a_customer("0")
    most = ledger.MAX_BALANCE_NANOS
    with transaction():
        ledger.deposit(customer.id, amount_nanos=most, reason="deposit:most", note="", now=NOON)

    with pytest.raises(BadMoney), transaction():
        ledger.deposit(customer.id, amount_nanos=1, reason="deposit:more", note="", now=NOON)

    assert ledger.balance_nanos(customer.id) == most


def test_reason_is_used_once_ever() -> None:
    customer = a_customer("1")
    post(charge(customer.id, 5))
    untouched = ledger_oracle.all_rows()

    with pytest.raises(IntegrityError):
        post(charge(customer.id, 7))

    assert ledger_oracle.all_rows() == untouched


def test_nano_more_than_the_balance_is_refused_and_nothing_is_written() -> None:
    customer = a_customer("0.000000009")
    untouched = ledger_oracle.all_rows()

    with pytest.raises(InsufficientBalance, match="Not enough funds"):
        post(charge(customer.id, 10))

    assert ledger_oracle.all_rows() == untouched


def test_postings_together_may_not_spend_more_than_there_is() -> None:
    first, second = a_customer("1"), a_customer("1")
    untouched = ledger_oracle.all_rows()

    with pytest.raises(InsufficientBalance):
        post(
            charge(second.id, 400_000_000, reason="a"),
            charge(first.id, 600_000_000, reason="b"),
            charge(first.id, 600_000_000, reason="c"),
        )

    assert ledger_oracle.all_rows() == untouched


def test_credits_of_the_same_transfer_count_toward_the_balance() -> None:
    customer = a_customer("1")

    post(
        charge(customer.id, 1_500_000_000),
        Posting(AccountKind.DEPOSITS, customer.id, 500_000_000, TransferKind.DEPOSIT, "deposit:same time"),
    )

    assert ledger.balance_nanos(customer.id) == 0
    ledger_oracle.assert_consistent()


@pytest.mark.parametrize("amount_nanos", [0, -1])
def test_amount_that_is_none_is_refused_by_the_database(amount_nanos: int) -> None:
    customer = a_customer("1")

    with pytest.raises(DatabaseError):
        post(charge(customer.id, amount_nanos))


def test_system_accounts_are_found_in_any_order_of_use() -> None:
    customer = a_customer("1")

    post(Posting(AccountKind.HOLDS, AccountKind.SALES, 1, TransferKind.ADJUSTMENT, "house"), charge(customer.id, 1))

    assert ledger.balance_nanos(customer.id) == 999_999_999
    ledger_oracle.assert_consistent()


def test_balance_of_an_unknown_user_is_zero() -> None:
    assert ledger.balance_nanos(12345) == ledger.held_nanos(12345) == 0
    assert account_entries.last_entries(12345, count=5) == []


def test_held_is_what_open_orders_were_charged() -> None:
    customer, tool = a_customer("1000"), a_tool(price="0.90")

    for status in Status:
        an_order(customer=customer, tool=tool, status=status)

    open_ones = sum(status.is_open for status in Status)
    assert ledger.held_nanos(customer.id) == open_ones * 900_000_000


def test_newest_entries_come_first_and_carry_their_balance() -> None:
    customer = a_customer("10")
    for _ in range(3):
        an_order(customer=customer, tool=a_tool(price="0.90"))

    entries = account_entries.last_entries(customer.id, count=2)

    assert [entry.balance_nanos for entry in entries] == [7_300_000_000, 8_200_000_000]


def test_entry_of_a_return_has_the_balance_after_it() -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, tool=a_tool(price="0.90"), status=Status.CANCELED)
    an_order(customer=customer, tool=a_tool(price="0.90"))

    entry = account_entries.entry_of(order.id, kind=TransferKind.RETURN, user_id=customer.id)

    assert entry is not None and (entry.in_nanos, entry.balance_nanos) == (900_000_000, 10_000_000_000)
    assert account_entries.entry_of(order.id, kind=TransferKind.RETURN, user_id=a_customer().id) is None
