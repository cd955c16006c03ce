"""Ledger audit: every kind of damage is found and named."""

import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select, update

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import OrderCount, ProfitChange
from panel.services.money import (
    audit,
    audit_balances,
    audit_parts,
    audit_progress,
    chain_verification,
    ledger,
    ledger_sums,
    profit_sums,
)
from panel.services.orders import refills, transitions
from tests.support.damage import damage
from tests.support.factories import NOON, a_customer, a_tool, an_order

ORDER_1 = "order_id = 1"
SALES = "(SELECT id FROM accounts WHERE kind = 'sales')"
DEPOSITS = "(SELECT id FROM accounts WHERE kind = 'deposits')"
CUSTOMER = "(SELECT id FROM accounts WHERE user_id = 1)"
OTHER = "(SELECT id FROM accounts WHERE user_id = 2)"
NEWEST = "id = (SELECT max(id) FROM events WHERE order_id = 1)"
RUN = "INSERT INTO order_runs (order_id, number, quantity, due_at, status, remains, provider_id) VALUES"
COUNTED = "kind = 'counted' AND order_id = 1"
AMONG = "Event {} of order 1 does not follow from the one before it."

# Damage to order 1 (Partial, with two counts before that) or around it, and the problem that the audit reports.
DAMAGE = {
    "a balance a nano too high": (
        "UPDATE accounts SET balance_nanos = balance_nanos + 1 WHERE user_id = 1",
        "Account {} shows",
    ),
    "a balance emptied": ("UPDATE accounts SET balance_nanos = 0 WHERE user_id = 2", "Account {} shows 0 nanos"),
    "a returned amount": (
        f"UPDATE transfers SET amount_nanos = 1 WHERE kind = 'return' AND {ORDER_1}",
        "Order 1 says charged, kept, returned",
    ),
    "a daily sum": (
        f"UPDATE account_days SET in_nanos = in_nanos + 1 WHERE account_id = {CUSTOMER}",
        "Account {} has daily sums on 2026-11-20 that are not those of its transfers",
    ),
    "daily sums that are gone": (
        f"DELETE FROM account_days WHERE account_id = {CUSTOMER}",
        "Account {} has daily sums on 2026-11-20 that are not those of its transfers",
    ),
    "daily sums of a day without transfers": (
        f"UPDATE account_days SET day = '2026-11-21' WHERE account_id = {CUSTOMER}",
        "Account {} has daily sums on 2026-11-21 that are not those of its transfers",
    ),
    "daily sums of the house": (
        f"INSERT INTO account_days VALUES ({SALES}, '2026-11-20', 1, 1, 0, 1, 1)",
        "Account {} has daily sums, but it is not a customer's",
    ),
    "a transfer on another day": (
        "UPDATE transfers SET at = '2026-11-19 12:00:00.000000' WHERE kind = 'deposit'",
        "Account {} has daily sums on 2026-11-19 that are not those of its transfers",
    ),
    "a deposited amount": (
        "UPDATE transfers SET amount_nanos = amount_nanos + 1 WHERE kind = 'deposit'",
        "Account {} shows",
    ),
    "a charge that is gone": (
        f"DELETE FROM transfers WHERE kind = 'charge' AND {ORDER_1}",
        "Order 1 says charged, kept, returned",
    ),
    "a kept amount that is gone": (
        f"DELETE FROM transfers WHERE kind = 'keep' AND {ORDER_1}",
        "The account of held money has",
    ),
    "a return to another customer": (
        f"UPDATE transfers SET to_account_id = {OTHER} WHERE kind = 'return' AND {ORDER_1}",
        "(return of order 1) runs between the wrong accounts",
    ),
    "a charge of another customer": (
        f"UPDATE transfers SET from_account_id = {OTHER} WHERE kind = 'charge' AND {ORDER_1}",
        "(charge of order 1) runs between the wrong accounts",
    ),
    "a kept amount outside sales": (
        f"UPDATE transfers SET to_account_id = {DEPOSITS} WHERE kind = 'keep' AND {ORDER_1}",
        "(keep of order 1) runs between the wrong accounts",
    ),
    "an adjustment out of sales": (
        f"UPDATE transfers SET kind = 'adjustment', from_account_id = {SALES} "
        f"WHERE kind = 'deposit' AND to_account_id = {CUSTOMER}",
        "(adjustment) runs between the wrong accounts",
    ),
    "a deposit out of sales": (
        f"UPDATE transfers SET from_account_id = {SALES} WHERE kind = 'deposit' AND to_account_id = {CUSTOMER}",
        "(deposit) runs between the wrong accounts",
    ),
    "a transfer of no order": (
        f"UPDATE transfers SET order_id = NULL WHERE kind = 'return' AND {ORDER_1}",
        "Order 1 says charged, kept, returned",
    ),
    "the newest event is gone": (f"DELETE FROM events WHERE {NEWEST}", "Order 1 is not what its newest event says"),
    "the first event is gone": (f"DELETE FROM events WHERE kind = 'placed' AND {ORDER_1}", AMONG),
    "a move among others is gone": (
        f"DELETE FROM events WHERE kind = 'moved' AND status = 'in_progress' AND {ORDER_1}",
        AMONG,
    ),
    "a count among others is gone": (f"DELETE FROM events WHERE remains = 800 AND {COUNTED}", AMONG),
    "all events are gone": (f"DELETE FROM events WHERE {ORDER_1}", "Order 1 is not what its newest event says"),
    "an event with another version": (f"UPDATE events SET version = 9 WHERE remains = 800 AND {COUNTED}", AMONG),
    "an event that refunds early": (f"UPDATE events SET returned_nanos = 5 WHERE remains = 800 AND {COUNTED}", AMONG),
    "a step the table does not know": (
        f"UPDATE events SET status = 'refill' WHERE {NEWEST}",
        "from in_progress to refill",
    ),
    "remains": ("UPDATE orders SET remains = remains + 1 WHERE id = 1", "Order 1 is not what its newest event says"),
    "a start count": ("UPDATE orders SET start_count = 5 WHERE id = 1", "Order 1 is not what its newest event says"),
    "a version": ("UPDATE orders SET version = version + 1 WHERE id = 1", "Order 1 is not what its newest event says"),
    "a status": ("UPDATE orders SET status = 'canceled' WHERE id = 1", "Order 1 is canceled with"),
    "money held for ever": (
        "UPDATE orders SET kept_nanos = 0, returned_nanos = 0 WHERE id = 1",
        "The account of held money has",
    ),
    "daily sums of profit": (
        "UPDATE profit_days SET revenue_nanos = revenue_nanos + 1",
        "The profit of 2026-11-20 is not that of its orders",
    ),
    "daily sums of profit that are gone": (
        "DELETE FROM profit_days",
        "The profit of 2026-11-20 is not that of its orders",
    ),
    "a change of profit that is gone": (
        "DELETE FROM profit_changes WHERE id = (SELECT max(id) FROM profit_changes)",
        "The profit of 2026-11-20 is not that of its orders",
    ),
    "daily sums of the ledger": (
        "UPDATE ledger_days SET amount_nanos = amount_nanos + 1",
        "The ledger's sums of 2026-11-20 are not those of its transfers",
    ),
    "daily sums of the ledger that are gone": (
        "DELETE FROM ledger_days WHERE kind = 'charge'",
        "The ledger's sums of 2026-11-20 are not those of its transfers",
    ),
    "a price": (
        "UPDATE orders SET price_micros_per_thousand = 1, charge_nanos = quantity, kept_nanos = 0, returned_nanos = 0"
        " WHERE id = 1",
        "Order 1 says charged, kept, returned",
    ),
    "an owner": ("UPDATE orders SET customer_id = 2 WHERE id = 1", "of order 1) runs between the wrong accounts"),
    "a count": (
        "UPDATE order_counts SET orders = orders + 1 WHERE customer_id = 1 AND status = 'partial'",
        "Customer 1 has 1 orders in partial, the count says 2",
    ),
    "a count that is gone": (
        "DELETE FROM order_counts WHERE customer_id = 1 AND status = 'partial'",
        "Customer 1 has 1 orders in partial, the count says 0",
    ),
    "a count of nothing": (
        "UPDATE order_counts SET orders = orders + 1 WHERE customer_id = 1 AND status = 'pending'",
        "Customer 1 has 0 orders in pending, the count says 1",
    ),
    "a refill that ended alone": (
        "UPDATE refills SET state = 'completed' WHERE order_id = 2",
        "Order 2 and its refill task disagree",
    ),
    "a refill that is gone": ("DELETE FROM refills WHERE order_id = 2", "Order 2 and its refill task disagree"),
    "a refill of an order that ended": (
        "UPDATE refills SET order_id = 1 WHERE order_id = 2",
        "Order 1 and its refill task disagree",
    ),
    "a run that delivered more than its order": (
        f"{RUN} (1, 1, 1000, '2026-11-20 12:00:00.000000', 'partial', 359, 1)",
        "Order 1 has 360 of 1000 left, its runs 359 of 1000.",
    ),
    "runs of fewer than were ordered": (
        f"{RUN} (1, 1, 999, '2026-11-20 12:00:00.000000', 'partial', 360, 1)",
        "Order 1 has 360 of 1000 left, its runs 360 of 999.",
    ),
}


def some_books() -> None:
    """Ledger with order 1 (Partial) of customer 1 and order 2 (Refill) of customer 2."""
    tool, first, second = a_tool(), a_customer(), a_customer()
    with_counts(an_order(customer=first, tool=tool).id)
    refilled = an_order(customer=second, tool=tool, status=Status.COMPLETED)
    with transaction():
        refills.request_refill(refilled.id, customer_id=second.id, now=NOON)
    # All but the newest change.
    with transaction():
        profit_sums.add_up(most=profit_changes() - 1)
    with transaction():
        ledger_sums.add_up(now=NOON + timedelta(hours=2))


def profit_changes() -> int:
    return db.session.scalar(select(func.count(ProfitChange.id))) or 0


def with_counts(order_id: int) -> None:
    for to, remains in (
        (Status.IN_PROGRESS, 1_000),
        (Status.IN_PROGRESS, 800),
        (Status.IN_PROGRESS, 600),
        (Status.PARTIAL, 360),
    ):
        with transaction():
            transitions.move_order(transitions.lock_order(order_id), to, remains=remains, now=NOON)


def runner(app: Flask) -> FlaskCliRunner:
    db.session.rollback()
    return app.test_cli_runner()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is a part, and every page of the hash chains has a snapshot of its own."""
    monkeypatch.setattr(audit_parts, "IDS_AT_ONCE", 1)
    monkeypatch.setattr(audit_balances, "ACCOUNTS_AT_ONCE", 1)
    monkeypatch.setattr(chain_verification, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(chain_verification, "PAGES_A_SNAPSHOT", 1)


@pytest.mark.both_engines
def test_orders_that_are_placed_and_end_while_the_audit_runs_are_no_differences() -> None:
    customer, tool = a_customer("100"), a_tool()
    an_order(customer=customer, tool=tool, status=Status.COMPLETED)
    done: list[str] = []

    late: list[str] = []

    def meanwhile(what: str, read: int, total: int) -> None:
        db.session.rollback()
        if what not in done:
            an_order(customer=customer, tool=tool, status=Status.PARTIAL, remains=1)
            an_order(customer=a_customer("10", email=f"c{len(done)}@example.com"), tool=tool)
        # Once more when those have been read: of a known customer, whose newest rows are others now.
        if read > total + 4 and what not in late:
            an_order(customer=customer, tool=tool, status=Status.PARTIAL, remains=1)
            late.append(what)
        done.append(what)

    found = audit.audit(from_start=True, now=NOON + timedelta(hours=2), progress=meanwhile)

    assert found.differences == ()
    parts = {"Daily sums of customers", "Transfers", "Orders", "Counts of customers' orders", "Days of profit"}
    parts |= {"Hash chain of transfers", "Hash chain of events"}
    assert set(done) == parts and len(late) == 2
    assert audit.audit(from_start=True, now=NOON + timedelta(hours=2)).is_sound


@pytest.mark.both_engines
def test_an_undamaged_ledger_passes_the_audit() -> None:
    some_books()

    found = audit.audit()

    assert (found.is_sound, found.orders, found.transfers, found.differences) == (True, 2, 7, ())


@pytest.mark.parametrize(("statement", "says"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_found_and_named(statement: str, says: str) -> None:
    some_books()
    damage(statement)

    found = audit.audit()

    wanted = re.compile(r"\d+".join(map(re.escape, says.split("{}"))))
    assert not found.is_sound
    assert any(wanted.search(line) for line in found.differences), found.differences


@pytest.mark.both_engines
@pytest.mark.parametrize("name", [name for name in DAMAGE if "daily sum" in name])
def test_damage_of_daily_sums_is_found_on_both_engines(name: str) -> None:
    some_books()
    statement, says = DAMAGE[name]
    damage(statement)

    found = audit.audit()

    assert [re.sub(r"\d+ has", "{} has", line) for line in found.differences].count(f"{says}.")


@pytest.mark.both_engines
def test_cents_that_sum_to_more_than_a_dollar_in_a_day_pass_the_audit() -> None:
    customer = a_customer("0.60")

    with transaction():
        ledger.deposit(customer.id, amount_nanos=6 * 10**8, reason="deposit:second", note="Added.", now=NOON)

    assert audit.audit().differences == ()


@pytest.mark.both_engines
def test_sums_of_more_than_64_bits_are_exact() -> None:
    first, second, third = a_customer("0"), a_customer("0"), a_customer("0")
    for customer in (first, second, third):
        with transaction():
            most = ledger.MAX_BALANCE_NANOS
            ledger.deposit(customer.id, amount_nanos=most, reason=f"most:{customer.id}", note="", now=NOON)

    assert 3 * ledger.MAX_BALANCE_NANOS > 2**63
    assert audit.audit().differences == ()


@pytest.mark.both_engines
def test_command_prints_each_difference_and_fails(app: Flask) -> None:
    some_books()
    damage(DAMAGE["a status"][0])

    ended = runner(app).invoke(args=["audit"])

    assert ended.exit_code == 1
    assert "Order 1 is canceled with" in ended.stdout
    assert "2 orders and 7 transfers: 4 differences." in ended.stderr


@pytest.mark.both_engines
def test_command_says_the_same_as_json(app: Flask) -> None:
    some_books()
    damage(DAMAGE["a count"][0])

    ended = runner(app).invoke(args=["audit", "--json"])

    result = json.loads(ended.stdout)
    assert ended.exit_code == 1
    assert list(result) == ["sound", "orders", "transfers", "differences", "chains_from_start", "digests"]
    assert (result["sound"], result["orders"], result["transfers"]) == (False, 2, 7)
    assert result["differences"] == list(audit.audit().differences)


class Killed(BaseException):
    """Ends an audit in the middle, like a signal: nothing of it is tidied up."""


@pytest.mark.both_engines
@pytest.mark.parametrize("from_start", [True, False])
def test_stopped_audit_goes_on_where_it_was_and_finds_the_same(
    from_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_books()
    monkeypatch.setattr(audit_progress, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(audit_progress, "is_running", lambda _process: False)
    now = NOON + timedelta(hours=2)
    if not from_start:
        checked = audit.audit(now=NOON + timedelta(minutes=61))
        with transaction():
            audit.record(checked, now=now)
    for name in ("a balance emptied", "a status", "a count", "a daily sum", "daily sums of the ledger"):
        damage(DAMAGE[name][0])
    whole = audit.audit(from_start=from_start, now=now)
    seen: list[str] = []

    def until(count: int) -> audit_parts.Progress:
        def progress(what: str, done: int, _total: int) -> None:
            seen.append(f"{what} {done}")
            if len(seen) == count:
                raise Killed

        return progress

    # Each time it comes a little further; a part that was stored is not read again.
    found, stops = None, 0
    while found is None and stops < 200:
        stops += 1
        try:
            found = audit.audit(from_start=from_start, now=now, is_resumable=True, progress=until(len(seen) + 2))
        except Killed:
            db.session.rollback()

    assert found is not None and stops > 10
    assert sorted(found.differences) == sorted(whole.differences) and len(whole.differences) > 5
    assert (found.orders, found.transfers) == (whole.orders, whole.transfers)
    assert found.chains.marks == whole.chains.marks and found.chains.accounts == whole.chains.accounts
    assert db.session.scalar(select(func.count()).select_from(audit_progress.STOPPED)) == 0


def test_audit_lists_some_differences_and_says_that_there_are_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_parts, "MOST_DIFFERENCES", 2)
    for _ in range(4):
        an_order(customer=a_customer("1000"))
    with transaction():
        db.session.execute(update(OrderCount).values(orders=99))

    found = audit.audit()

    assert len(found.differences) == 3
    assert found.differences[-1] == audit_parts.AND_MORE
    assert not found.is_sound
