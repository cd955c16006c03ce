"""Compiled statements: same transaction, types and errors as the session's own."""

from datetime import timedelta

import pytest
from sqlalchemy import bindparam, insert, literal_column, select, text, update
from sqlalchemy.exc import IntegrityError

from panel.db import db, table_of, transaction
from panel.db.compiled_statements import CompiledStatement, in_list, pipeline
from panel.domain.errors import StaleOrder
from panel.models import Heartbeat, User
from tests.support.factories import NOON, a_customer

pytestmark = pytest.mark.both_engines

BEATS = table_of(Heartbeat)
USERS = table_of(User)

BEAT = CompiledStatement(lambda: insert(BEATS).inline(), columns=["worker", "at"])
BEATS_AFTER = CompiledStatement(
    lambda: select(BEATS.c.worker, BEATS.c.at).where(BEATS.c.at > bindparam("since")).order_by(BEATS.c.at)
)
AMONG = CompiledStatement(lambda: select(USERS.c.id).where(in_list(USERS.c.id, "ids")).order_by(USERS.c.id))
RENAME = CompiledStatement(
    lambda: update(USERS).where(USERS.c.id == bindparam("b_id")).values(email=bindparam("b_email"))
)
NOTE = CompiledStatement(
    lambda: (
        update(USERS)
        .where(USERS.c.id == bindparam("b_id"))
        .values(
            disabled_reason=bindparam("b_reason"),
            disabled_at=bindparam("b_at"),
            state_version=literal_column("0") + bindparam("b_version", type_=USERS.c.state_version.type),
        )
    )
)
COUNTING = (
    "CREATE TABLE counted (name text)",
    "CREATE FUNCTION count_statement() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN INSERT INTO counted VALUES (TG_TABLE_NAME); RETURN NULL; END $$",
    "CREATE TRIGGER counted AFTER INSERT ON heartbeats FOR EACH STATEMENT EXECUTE FUNCTION count_statement()",
    "CREATE TRIGGER counted AFTER UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION count_statement()",
)


def beats() -> set[str]:
    db.session.rollback()
    return set(db.session.scalars(select(Heartbeat.worker)))


def stale() -> StaleOrder:
    return StaleOrder("Somebody was first.")


def test_moments_go_in_and_come_out_in_utc() -> None:
    later = NOON + timedelta(microseconds=1)

    with transaction():
        BEAT.execute([{"worker": "a", "at": NOON}, {"worker": "b", "at": later}])

    assert [tuple(row) for row in BEATS_AFTER.fetch({"since": NOON})] == [("b", later)]


def test_compiled_statement_runs_in_the_transaction() -> None:
    with pytest.raises(StaleOrder), transaction():
        BEAT.execute([{"worker": "a", "at": NOON}])
        raise stale()

    assert beats() == set()


@pytest.mark.parametrize("is_together", [False, True])
def test_row_that_is_not_there_raises_what_was_asked_for_and_leaves_nothing(is_together: bool) -> None:
    customer = a_customer()
    rows = [{"b_id": customer.id, "b_email": "new@example.com"}, {"b_id": customer.id + 9, "b_email": "x@example.com"}]

    with pytest.raises(StaleOrder), transaction():
        if is_together:
            with pipeline():
                RENAME.execute(rows, expect_one=stale)
                BEAT.execute([{"worker": "a", "at": NOON}])
        else:
            RENAME.execute(rows, expect_one=stale)

    db.session.rollback()
    assert db.session.get_one(User, customer.id).email != "new@example.com"
    assert beats() == set()


@pytest.mark.parametrize("is_together", [False, True])
def test_constraint_violation_raises_sqlalchemys_error(is_together: bool) -> None:
    with pytest.raises(IntegrityError) as caught, transaction():
        if is_together:
            with pipeline():
                BEAT.execute([{"worker": "a", "at": NOON}])
                BEAT.execute([{"worker": "a", "at": NOON}])
        else:
            BEAT.execute([{"worker": "a", "at": NOON}, {"worker": "a", "at": NOON}])

    assert "2026" not in str(caught.value)
    assert beats() == set()


def test_batch_has_every_value_as_it_was_given(engine: str) -> None:
    hard = "quote ' and \" \\ \\u0041 %s %(x)s {1} é 日本 🙂 \u2028\n\t"
    ids = [a_customer().id for _ in range(3)]

    with transaction():
        rows = [(ids[0], hard, NOON, 2**62), (ids[1], "", None, -(2**62)), (ids[2], "null", NOON, 0)]
        names = ("b_id", "b_reason", "b_at", "b_version")
        NOTE.execute([dict(zip(names, row, strict=True)) for row in rows], expect_one=stale)

    found = db.session.execute(
        select(USERS.c.id, USERS.c.disabled_reason, USERS.c.disabled_at, USERS.c.state_version)
        .where(USERS.c.id.in_(ids))
        .order_by(USERS.c.id)
    )
    assert [tuple(row) for row in found] == rows


def test_batch_is_one_statement_for_postgresql(engine: str) -> None:
    """Triggers for each statement, which sum days and notify the push hub, run once for the batch."""
    if engine == "sqlite":
        # It has triggers for each row alone.
        return
    customers = [a_customer().id for _ in range(3)]
    for statement in COUNTING:
        db.session.execute(text(statement))
    db.session.commit()

    with transaction(), pipeline():
        BEAT.execute([{"worker": name, "at": NOON} for name in "abc"])
        RENAME.execute([{"b_id": each, "b_email": f"new{each}@example.com"} for each in customers], expect_one=stale)

    assert sorted(db.session.scalars(text("SELECT name FROM counted"))) == ["heartbeats", "users"]
    assert beats() == {"a", "b", "c"}


def test_numbers_are_looked_up_however_many_they_are() -> None:
    ids = sorted(a_customer().id for _ in range(3))

    assert [row[0] for row in AMONG.fetch({"ids": [ids[2], ids[0], 10**15, *range(-5_000, 0)]})] == [ids[0], ids[2]]
    assert AMONG.fetch({"ids": []}) == []
