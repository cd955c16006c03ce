"""Revision 0017: existing rows get the hashes that they would have had from the start."""

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import Base, begin_snapshot, db, table_of, transaction
from panel.domain.status import Status
from panel.models import Account, AccountKind, ChainCheckpoint, Order, OrderEvent, Transfer, TransferKind
from panel.services.money import audit, ledger
from panel.services.money.ledger import Posting
from panel.services.orders import transitions
from panel.services.orders.transitions import Note
from tests.support.factories import NOON, a_customer, an_order

# More than one batch of the revision, so that chains continue across batches.
ROWS = 10_050
CHAINED: tuple[type[Base], ...] = (Account, Transfer, Order, OrderEvent)


@pytest.mark.both_engines
def test_existing_rows_get_the_hashes_that_new_ones_get(app: Flask) -> None:
    customer = a_customer("1000")
    order = an_order(customer=customer, status=Status.PARTIAL)
    an_order(status=Status.COMPLETED)
    with transaction():
        pot, kind = AccountKind.ADJUSTMENTS, TransferKind.ADJUSTMENT
        ledger.post([Posting(pot, customer.id, 1, kind, f"é:{number}") for number in range(ROWS)], now=NOON)
        held = transitions.lock_order(order.id)
        transitions.add_notes([Note(held, f"é {number}") for number in range(ROWS)], now=NOON)
    before = hashes()

    flask_migrate.downgrade(revision="0016")
    flask_migrate.upgrade()

    assert hashes() == before
    assert all(dict(before["transfers"]).values())
    assert audit.audit().is_sound
    # A restored backup has its own rows: the migration must leave the table empty.
    assert db.session.scalars(select(ChainCheckpoint)).all() == []


def hashes() -> dict[str, list[tuple[int, str]]]:
    begin_snapshot()
    found = {}
    for table in map(table_of, CHAINED):
        rows = db.session.execute(select(table.c.id, table.c.chain_hash).order_by(table.c.id))
        found[table.name] = [(row[0], row[1]) for row in rows]
    db.session.rollback()
    return found
