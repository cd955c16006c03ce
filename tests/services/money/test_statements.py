"""Statements come from daily sums that a trigger keeps: they equal the transfers, whatever is done, on both engines."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import InsufficientBalance
from panel.domain.lists.date_range import Period
from panel.domain.status import Status
from panel.models import Account, AccountDay, AccountKind, Transfer, TransferKind
from panel.services.money import account_entries, ledger, statements
from panel.services.money.ledger import Posting
from tests.support import concurrently, warm_python
from tests.support.damage import damage
from tests.support.factories import NOON, a_customer, a_tool, an_order
from tests.support.repeats import repetitions

pytestmark = pytest.mark.both_engines

TODAY = NOON.date()
DAY = timedelta(days=1)
ALL = Period(date(2000, 1, 1), date(2200, 1, 1))
Sums = tuple[int, int, int, int, int]


def summed() -> dict[tuple[int, date], Sums]:
    """What the daily sums must be, added up from the transfers one by one."""
    db.session.rollback()
    customers = set(db.session.scalars(select(Account.id).where(Account.user_id.is_not(None))))
    found: dict[tuple[int, date], list[tuple[int, int]]] = defaultdict(list)
    for transfer in db.session.scalars(select(Transfer).order_by(Transfer.id)):
        for account, sign in ((transfer.to_account_id, 1), (transfer.from_account_id, -1)):
            if account in customers:
                found[account, transfer.at.astimezone(UTC).date()].append((transfer.id, sign * transfer.amount_nanos))
    return {
        key: (
            len(lines),
            sum(amount for _, amount in lines if amount > 0),
            sum(-amount for _, amount in lines if amount < 0),
            lines[0][0],
            lines[-1][0],
        )
        for key, lines in found.items()
    }


def stored() -> dict[tuple[int, date], Sums]:
    days = db.session.scalars(select(AccountDay).execution_options(populate_existing=True))
    return {
        (day.account_id, day.day): (day.entries, day.in_nanos, day.out_nanos, day.first_id, day.last_id) for day in days
    }


def statement(user_id: int, first: date, last: date) -> statements.Statement:
    return statements.of_period(user_id, Period(first, last))


def entries(user_id: int, found: statements.Statement) -> tuple[account_entries.Entry, ...]:
    return statements.page(user_id, found, skip=0, most=found.entries).entries


def test_statement_lists_what_moved_with_the_balance_after_each_line() -> None:
    customer = a_customer("10")
    an_order(customer=customer, tool=a_tool(price="0.90"), status=Status.PARTIAL, remains=360, now=NOON + DAY)

    found = statement(customer.id, TODAY + DAY, TODAY + DAY)

    assert (found.opening_nanos, found.closing_nanos) == (10_000_000_000, 9_424_000_000)
    lines = [(line.kind, line.out_nanos, line.in_nanos, line.balance_nanos) for line in entries(customer.id, found)]
    assert lines == [
        ("charge", 900_000_000, 0, 9_100_000_000),
        ("return", 0, 324_000_000, 9_424_000_000),
    ]
    assert found.is_checked


@pytest.mark.parametrize(("at", "day"), [("23:59:59.999999", 0), ("00:00:00.000000", 1)])
def test_days_meet_at_midnight_in_utc(at: str, day: int) -> None:
    customer_id = a_customer("0").id
    moment = datetime.fromisoformat(f"{TODAY + day * DAY} {at}+00:00").astimezone()
    with transaction():
        ledger.deposit(customer_id, amount_nanos=5, reason="midnight", note="", now=moment)

    days = [statement(customer_id, TODAY + number * DAY, TODAY + number * DAY) for number in (-1, 0, 1, 2)]

    assert [found.entries for found in days] == [int(number == day) for number in (-1, 0, 1, 2)]
    assert [found.closing_nanos for found in days] == [5 * (number >= day) for number in (-1, 0, 1, 2)]


def test_line_of_another_customer_is_in_no_statement() -> None:
    mine, theirs = a_customer("1"), a_customer("2")

    found = statement(mine.id, TODAY, TODAY)

    assert [line.in_nanos for line in entries(mine.id, found)] == [1_000_000_000]
    assert ledger.balance_nanos(theirs.id) == 2_000_000_000


def test_balance_that_is_not_what_its_days_come_to_is_not_checked() -> None:
    customer = a_customer("1")
    damage("UPDATE account_days SET in_nanos = in_nanos + 1")

    assert not statement(customer.id, TODAY, TODAY).is_checked


def test_lines_that_do_not_come_to_their_day_are_not_checked() -> None:
    customer = a_customer("1")
    damage("UPDATE transfers SET amount_nanos = amount_nanos + 1")
    found = statement(customer.id, TODAY, TODAY)

    assert found.is_checked
    assert not statements.page(customer.id, found, skip=0, most=50).is_checked


def test_sums_of_a_day_beyond_64_bits_are_refused() -> None:
    customer_id = a_customer("0").id
    most = ledger.MAX_BALANCE_NANOS

    def move(number: int) -> None:
        with transaction():
            ledger.deposit(customer_id, amount_nanos=most, reason=f"in:{number}", note="", now=NOON)
            out = Posting(customer_id, AccountKind.ADJUSTMENTS, most, TransferKind.ADJUSTMENT, f"out:{number}")
            ledger.post([out], now=NOON)

    move(1)
    move(2)
    with pytest.raises(Exception, match="account_days"):
        move(3)

    assert stored() == summed()


@given(
    changes=st.lists(
        st.tuples(st.integers(-(10**12), 10**12).filter(bool), st.integers(-3, 3), st.booleans()), max_size=12
    ),
    cut=st.integers(-4, 4),
    per_page=st.integers(1, 4),
)
def test_any_sequence_of_transfers_is_summed_and_paged(
    changes: list[tuple[int, int, bool]], cut: int, per_page: int
) -> None:
    """Also of days that come in any order, and with several postings in one transaction."""
    customer_id, could_spend = a_customer("0").id, 0
    pot, kind = AccountKind.ADJUSTMENTS, TransferKind.ADJUSTMENT
    for number, (change, day, is_double) in enumerate(changes):
        source, target = (pot, customer_id) if change > 0 else (customer_id, pot)
        postings = [
            Posting(source, target, abs(change), kind, f"{customer_id}:{number}:{part}", at=NOON + (day + part) * DAY)
            for part in range(1 + is_double)
        ]
        total = change * len(postings)
        db.session.rollback()
        try:
            with transaction():
                ledger.post(postings, now=NOON)
            could_spend += total
        except InsufficientBalance:
            assert could_spend < -total

    first, second = (
        statement(customer_id, ALL.first, TODAY + cut * DAY),
        statement(customer_id, TODAY + (cut + 1) * DAY, ALL.last),
    )
    whole = statements.of_period(customer_id, ALL)

    assert stored() == summed()
    assert first.is_checked and second.is_checked and first.closing_nanos == second.opening_nanos
    assert second.closing_nanos == ledger.balance_nanos(customer_id) == could_spend
    lines = entries(customer_id, whole)
    pages = [statements.page(customer_id, whole, skip=start, most=per_page) for start in range(0, len(lines), per_page)]
    assert [line for page in pages for line in page.entries] == list(lines)
    assert all(page.is_checked for page in pages)
    assert [line.entry for line in statements.all_lines(customer_id, whole)] == list(lines)
    assert lines == (*entries(customer_id, first), *entries(customer_id, second))
    running = 0
    for line in lines:
        running += line.change_nanos
        assert line.balance_nanos == running


def test_file_holds_each_line_once_with_batches_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "LINES_AT_ONCE", 2)
    customer, tool = a_customer("100"), a_tool()
    for day in (0, 0, 0, 0, 1, 2):
        an_order(customer=customer, tool=tool, status=Status.CANCELED, now=NOON + day * DAY)
    found = statements.of_period(customer.id, ALL)

    lines = list(statements.all_lines(customer.id, found))

    assert [line.entry for line in lines] == list(entries(customer.id, found))
    assert [line.reverses is None for line in lines] == [line.entry.kind != "return" for line in lines]


def test_lines_written_after_the_sums_were_read_are_not_in_the_file() -> None:
    customer, tool = a_customer("100"), a_tool()
    an_order(customer=customer, tool=tool)
    found = statements.of_period(customer.id, ALL)

    lines = statements.all_lines(customer.id, found)
    read = [next(lines)]
    an_order(customer=customer, tool=tool)
    read += lines

    assert len(read) == 2 and read[-1].entry.balance_nanos == found.closing_nanos


def test_processes_that_move_money_together_keep_the_sums(app: Flask, database_url: str) -> None:
    """Two processes place orders of two customers each, of one of them together."""
    tool = a_tool(price="0.90")
    customers = [a_customer("0.9").id for _ in range(3)]
    slug, instance, orders = tool.slug, app.config["PANEL"].instance, repetitions(20, long=200)
    placed = warm_python.context().Queue()
    of_customers = [(customers[0], range(orders)), (customers[1], range(0, orders, 2))]
    of_customers += [(customers[1], range(1, orders, 2)), (customers[2], range(orders))]
    workers = [
        warm_python.context().Process(
            target=concurrently.place_many, args=(instance, database_url, customer_id, slug, numbers, placed)
        )
        for customer_id, numbers in of_customers
    ]

    db.session.rollback()
    for worker in workers:
        worker.start()
    numbers = [placed.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)

    assert sum(numbers) == 3 * orders
    assert stored() == summed()
    for customer_id in customers:
        found = statements.of_period(customer_id, ALL)
        assert (found.entries, found.is_checked) == (orders + 1, True)
