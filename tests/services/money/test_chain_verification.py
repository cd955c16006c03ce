"""Hash chain verification: finds changes by someone with database access that the sums don't show."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import AccountKind, ChainCheckpoint, CheckpointKind, OrderEvent, Transfer, TransferKind
from panel.services.money import audit, chain_verification, ledger
from panel.services.money.audit import Audit
from panel.services.money.chain_report import ChainHead
from panel.services.money.ledger import Posting
from panel.services.orders import transitions
from panel.services.orders.transitions import Note
from tests.support.damage import damage
from tests.support.factories import NOON, a_customer, a_tool, an_order

pytestmark = pytest.mark.both_engines

LATER = NOON + timedelta(days=2)
FIRST = "(SELECT id FROM accounts WHERE user_id = 1)"
SECOND = "(SELECT id FROM accounts WHERE user_id = 2)"
NEWEST_NOTE = "id = (SELECT max(id) FROM events WHERE order_id = 2)"
COPIED = (
    "order_id, kind, source, old_status, status, remains, start_count, kept_nanos, returned_nanos, version, raw, at, "
    "chain_hash"
)
ALIKE = "from_account_id, to_account_id, amount_nanos, kind, order_id, note, at"

# Damage, and the problem that the audit reports. The sums show none of these.
TAMPERING = {
    "a deposit raised together with its balance": (
        f"UPDATE transfers SET amount_nanos = amount_nanos + 1 WHERE kind = 'deposit' AND to_account_id = {FIRST}",
        "UPDATE accounts SET balance_nanos = balance_nanos + 1 WHERE user_id = 1",
        "Transfer 1 is not what its hash says",
    ),
    "a deposit at another time": (
        f"UPDATE transfers SET at = '2026-11-20 12:00:00.000001' WHERE kind = 'deposit' AND to_account_id = {FIRST}",
        "Transfer 1 is not what its hash says",
    ),
    "a kept amount at another time": (
        "UPDATE transfers SET at = '2026-11-20 11:00:00' WHERE kind = 'keep' AND order_id = 1",
        "is not what its hash says",
    ),
    "a note of a transfer": ("UPDATE transfers SET note = 'x' WHERE kind = 'deposit'", "Transfer 1 is not what"),
    "a text of an event": ("UPDATE events SET text = 'x' WHERE id = 1", "Event 1 is not what its"),
    "a time of an event": ("UPDATE events SET at = '2026-11-20 11:00:00' WHERE id = 1", "Event 1 is not what"),
    "a raw answer of an event": (
        "UPDATE events SET raw = 'x' WHERE kind = 'noted' AND order_id = 1",
        "is not what its",
    ),
    "transfers from the middle gone": (
        f"DELETE FROM transfers WHERE kind = 'adjustment' AND {FIRST} IN (from_account_id, to_account_id)",
        "or one before it is missing",
    ),
    "transfers at the end gone": (
        f"DELETE FROM transfers WHERE kind = 'adjustment' AND {SECOND} IN (from_account_id, to_account_id)",
        "has another newest transfer than the last one of its chain",
    ),
    "an event from the middle gone": (
        "DELETE FROM events WHERE kind = 'noted' AND order_id = 1",
        "or one before it is",
    ),
    "an event at the end gone": (
        f"DELETE FROM events WHERE {NEWEST_NOTE}",
        "Order 2 is not what its newest event says",
    ),
    "transfers added": (
        f"INSERT INTO transfers ({ALIKE}, reason, chain_hash) SELECT {ALIKE}, reason || '+', chain_hash "
        f"FROM transfers WHERE kind = 'adjustment' AND {FIRST} IN (from_account_id, to_account_id)",
        "is not what its hash says",
    ),
    "an event added": (
        f"INSERT INTO events ({COPIED}, text) SELECT {COPIED}, 'x' FROM events WHERE {NEWEST_NOTE}",
        "is not what its hash says",
    ),
    "a customer's head overwritten": (
        "UPDATE accounts SET chain_hash = 'x' WHERE user_id = 1",
        "has another newest transfer",
    ),
    "a house account's head overwritten": (
        "UPDATE accounts SET chain_hash = 'x' WHERE kind = 'sales'",
        "has another newest transfer",
    ),
    "an order's head overwritten": (
        "UPDATE orders SET chain_hash = 'x' WHERE id = 1",
        "Order 1 is not what its newest",
    ),
}


def books() -> None:
    """Two customers, each with a deposit, an order and two adjustments; the first has the adjustments mid-chain."""
    tool, first, second = a_tool(), a_customer(), a_customer()
    there_and_back(first.id)
    order = an_order(customer=first, tool=tool, status=Status.IN_PROGRESS)
    a_note(order.id, "The provider was asked.")
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PARTIAL, remains=400, now=NOON)
    a_note(an_order(customer=second, tool=tool).id, "Handed over.")
    there_and_back(second.id)


def there_and_back(user_id: int, *, unique: str = "") -> None:
    """A credit and a debit of the same amount, whose removal changes no sum."""
    kind, pot = TransferKind.ADJUSTMENT, AccountKind.ADJUSTMENTS
    with transaction():
        ledger.post([Posting(pot, user_id, 5, kind, f"there:{user_id}{unique}")], now=NOON)
        ledger.post([Posting(user_id, pot, 5, kind, f"back:{user_id}{unique}")], now=NOON)


def a_note(order_id: int, words: str) -> None:
    with transaction():
        transitions.add_notes([Note(transitions.lock_order(order_id), words)], now=NOON)


def audited(*, from_start: bool = False, noted: tuple[ChainHead, ...] = ()) -> Audit:
    """Run an audit and write its checkpoints."""
    found = audit.audit(from_start=from_start, noted=noted, now=LATER)
    with transaction():
        audit.record(found, now=LATER)
    return found


def checkpoint(kind: CheckpointKind) -> ChainCheckpoint:
    db.session.rollback()
    return db.session.get_one(ChainCheckpoint, (kind, 0))


def test_undamaged_chains_pass_the_verification() -> None:
    books()

    found = audited()

    assert found.differences == ()
    assert checkpoint(CheckpointKind.TRANSFERS).up_to_id == db.session.scalar(select(func.max(Transfer.id)))
    assert checkpoint(CheckpointKind.EVENTS).up_to_id == db.session.scalar(select(func.max(OrderEvent.id)))


@pytest.mark.parametrize("tampering", TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_is_found(tampering: tuple[str, ...]) -> None:
    *statements, says = tampering
    books()
    assert audit.audit().differences == ()

    damage(*statements)

    differences = audit.audit().differences
    assert any(says in line for line in differences), differences


@pytest.mark.parametrize("tampering", TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_behind_a_checkpoint_is_found_from_the_start_and_then_each_time(tampering: tuple[str, ...]) -> None:
    *statements, says = tampering
    books()
    audited()

    damage(*statements)
    differences = audited(from_start=True).differences

    assert any(says in line for line in differences), differences
    assert set(differences) <= set(audited().differences)


def test_rows_after_a_checkpoint_are_verified_without_those_before() -> None:
    books()
    audited()
    there_and_back(1, unique=":again")
    a_note(1, "Looked at.")

    sound = audited()
    damage("UPDATE events SET text = 'x' WHERE id = 1", "UPDATE transfers SET note = 'x' WHERE id = 1")
    unseen = audited()
    there_and_back(1, unique=":once more")
    damage("UPDATE transfers SET note = 'x' WHERE id = (SELECT max(id) FROM transfers)")
    seen = audited()

    assert (sound.differences, sound.chains.is_from_start) == ((), False)
    assert unseen.differences == ()
    assert [line.partition(" is not")[0] for line in seen.differences] == [f"Transfer {newest_transfer()}"]
    assert audited().chains.is_from_start


def newest_transfer() -> int:
    return db.session.scalars(select(func.max(Transfer.id))).one()


def test_rows_of_the_last_hour_are_behind_no_checkpoint() -> None:
    books()
    found = audit.audit(now=NOON + timedelta(minutes=59))
    with transaction():
        audit.record(found, now=NOON)

    assert found.chains.marks[CheckpointKind.TRANSFERS].up_to_id == 0
    assert checkpoint(CheckpointKind.EVENTS).up_to_id == 0
    assert audit.audit(now=NOON + timedelta(minutes=61)).chains.marks[CheckpointKind.EVENTS].up_to_id > 0


def test_a_checkpoint_stays_before_the_first_row_of_the_last_hour_whatever_comes_after_it() -> None:
    books()
    with transaction():
        held = transitions.lock_order(1)
        transitions.add_notes([Note(held, "Looked at.")], now=LATER)
        transitions.add_notes([Note(held, "Written late.")], now=NOON)

    marks = audit.audit(now=LATER).chains.marks

    newest = db.session.scalars(select(func.max(OrderEvent.id))).one()
    assert marks[CheckpointKind.EVENTS].up_to_id == newest - 2


def test_two_transfers_under_one_lock_are_two_links() -> None:
    books()
    kind, pot = TransferKind.ADJUSTMENT, AccountKind.ADJUSTMENTS
    with transaction():
        held = ledger.lock_accounts([1])
        ledger.post([Posting(pot, 1, 5, kind, "first")], held=held, now=NOON)
        ledger.post([Posting(1, pot, 5, kind, "second")], held=held, now=NOON)
        order = transitions.lock_order(1)
        transitions.add_notes([Note(order, "First.")], now=NOON)
        transitions.add_notes([Note(order, "Second."), Note(order, "Third.")], now=NOON)

    assert audit.audit().differences == ()


def test_digests_are_checked_from_the_first_row_on_also_behind_a_checkpoint() -> None:
    books()
    right = tuple(audited().chains.marks.values())
    there_and_back(1, unique=":again")
    assert audited().chains.marks[CheckpointKind.TRANSFERS].up_to_id == newest_transfer()

    assert audited(noted=right).differences == ()
    differences = audited(noted=(ChainHead(CheckpointKind.TRANSFERS, 2, "x"),)).differences

    assert differences == ("The transfers up to 2 are not those whose digest was noted before.",)


def test_rows_cut_off_together_with_their_head_are_found_by_the_digest() -> None:
    books()
    noted = tuple(audited().chains.marks.values())
    cut_off()

    differences = audited(from_start=True).differences
    damage("DELETE FROM chain_checkpoints")

    assert "The transfers up to 10 are not those whose digest was noted before." in differences
    assert audit.audit().differences == ()
    assert "The transfers up to 10 are not those whose digest was noted before." in audited(noted=noted).differences


def cut_off() -> None:
    """Cut off the last two transfers of customer 2 and restore the head and the daily sums from before them."""
    before = f"kind = 'charge' AND from_account_id = {SECOND}"
    damage(
        f"DELETE FROM transfers WHERE kind = 'adjustment' AND {SECOND} IN (from_account_id, to_account_id)",
        f"UPDATE accounts SET chain_hash = (SELECT chain_hash FROM transfers WHERE {before}) WHERE user_id = 2",
        "UPDATE account_days SET entries = (SELECT count(*) FROM transfers WHERE account_id IN (from_account_id, "
        "to_account_id)), in_nanos = (SELECT sum(amount_nanos) FROM transfers WHERE to_account_id = account_id), "
        "out_nanos = (SELECT sum(amount_nanos) FROM transfers WHERE from_account_id = account_id), last_id = (SELECT "
        f"max(id) FROM transfers WHERE account_id IN (from_account_id, to_account_id)) WHERE account_id = {SECOND}",
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chain_checkpoints SET up_to_id = 1000000 WHERE kind = 'transfers'",
        "UPDATE chain_checkpoints SET digest = 'x' WHERE kind = 'events'",
        "UPDATE chain_checkpoints SET digest = 'x' WHERE kind = 'account'",
    ],
)
def test_an_overwritten_checkpoint_hides_nothing_from_the_daily_run(statement: str) -> None:
    books()
    audited()
    damage(statement, "UPDATE events SET text = 'x' WHERE id = 1", "UPDATE transfers SET note = 'x' WHERE id = 1")

    differences = audited(from_start=True).differences

    assert {"Transfer 1", "Event 1"} <= {line.partition(" is not")[0] for line in differences}


def test_a_checkpoint_beyond_the_newest_row_is_found_at_once() -> None:
    books()
    audited()

    damage("UPDATE chain_checkpoints SET up_to_id = 1000000 WHERE kind = 'transfers'")

    assert "Transfer 1000000 is gone: the last run verified up to it." in audit.audit().differences


def test_a_run_that_began_before_another_was_recorded_moves_no_checkpoint() -> None:
    books()
    slow = audit.audit(now=LATER)
    there_and_back(1, unique=":again")
    audited()
    before = checkpoint(CheckpointKind.TRANSFERS).up_to_id

    with transaction():
        audit.record(slow, now=LATER)

    assert checkpoint(CheckpointKind.TRANSFERS).up_to_id == before
    assert audit.audit().differences == ()


def test_all_is_verified_from_the_start_once_a_day() -> None:
    books()
    assert chain_verification.is_from_start_due(now=LATER)

    audited()

    assert not chain_verification.is_from_start_due(now=LATER + timedelta(hours=23))
    assert chain_verification.is_from_start_due(now=LATER + timedelta(hours=24))
    assert chain_verification.is_from_start_due(now=LATER - timedelta(hours=1))


def test_command_prints_digests_that_it_takes_back(app: Flask) -> None:
    books()
    db.session.rollback()
    first = app.test_cli_runner().invoke(args=["audit", "--full"])
    digests = [line.rpartition(" ")[2] for line in first.stderr.splitlines() if "--noted" in line]

    same = app.test_cli_runner().invoke(args=["audit", *(f"--noted={digest}" for digest in digests)])
    other = app.test_cli_runner().invoke(args=["audit", f"--noted={digests[0]}0"])
    wrong = app.test_cli_runner().invoke(args=["audit", "--noted=orders:1:x"])
    db.session.rollback()

    assert [digest.partition(":")[0] for digest in digests] == ["transfers", "events"]
    assert (first.exit_code, same.exit_code, other.exit_code, wrong.exit_code) == (0, 0, 1, 2)
    assert "the first row" in same.stderr
    assert "not those whose digest was noted before" in other.stdout


def test_command_verifies_from_the_last_checkpoint_on(app: Flask) -> None:
    books()
    db.session.rollback()
    app.test_cli_runner().invoke(args=["audit"])

    again = app.test_cli_runner().invoke(args=["audit"])

    assert "The hash chains were verified from the last checkpoint on." in again.stderr


def test_pages_of_rows_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_verification, "ROWS_AT_ONCE", 2)
    books()

    assert audit.audit().differences == ()


def test_house_accounts_and_their_own_transfers_have_no_chain() -> None:
    with transaction():
        posting = Posting(AccountKind.HOLDS, AccountKind.SALES, 1, TransferKind.ADJUSTMENT, "house")
        ledger.post([posting], now=NOON)

    heads = db.session.scalars(text("SELECT chain_hash FROM accounts UNION SELECT chain_hash FROM transfers")).all()

    assert heads == [""]
    assert not [line for line in audit.audit().differences if "hash" in line or "chain" in line]
