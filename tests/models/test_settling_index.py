"""The unique index on settling transfers, in the migrated schema: the database refuses a second charge or refund."""

import pytest
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from panel.db import db, table_of, transaction
from panel.domain.status import Status
from panel.models import Account, AccountKind, Transfer, TransferKind
from tests.support.factories import NOON, an_order

pytestmark = pytest.mark.both_engines

TRANSFERS = table_of(Transfer)
SETTLING = (TransferKind.CHARGE, TransferKind.KEEP, TransferKind.RETURN)


def one_more(order_id: int, kind: TransferKind, *, reason: str) -> None:
    """Insert a transfer of this kind for the order directly, with a unique reason."""
    holds, sales = (
        db.session.scalars(select(Account.id).where(Account.kind == kind)).one()
        for kind in (AccountKind.HOLDS, AccountKind.SALES)
    )
    row = {"from_account_id": holds, "to_account_id": sales, "amount_nanos": 1, "kind": kind, "order_id": order_id}
    with transaction():
        db.session.execute(insert(TRANSFERS).values(**row, reason=reason, note="", at=NOON))


@pytest.mark.parametrize("kind", SETTLING)
def test_database_refuses_a_second_settling_transfer_of_a_kind(kind: TransferKind) -> None:
    order_id = an_order(status=Status.PARTIAL, remains=400).id

    with pytest.raises(IntegrityError):
        one_more(order_id, kind, reason=f"again:{kind}:{order_id}")


def test_goodwill_may_come_more_than_once() -> None:
    order_id = an_order(status=Status.COMPLETED).id

    for number in (1, 2):
        one_more(order_id, TransferKind.ADJUSTMENT, reason=f"goodwill:{order_id}:{number}")

    of_order = select(Transfer.id).where(Transfer.order_id == order_id, Transfer.kind == TransferKind.ADJUSTMENT)
    assert len(db.session.scalars(of_order).all()) == 2


def test_index_of_the_migrated_schema_is_unique_over_order_and_kind() -> None:
    found = {index["name"]: index for index in inspect(db.engine).get_indexes("transfers")}

    settling = found["uq_transfers_settling"]
    assert settling["unique"]
    assert settling["column_names"] == ["order_id", "kind"]


def test_database_refuses_a_reason_used_before() -> None:
    order_id = an_order(status=Status.PENDING).id
    used = db.session.scalars(select(Transfer.reason).where(Transfer.order_id == order_id)).one()

    with pytest.raises(IntegrityError):
        one_more(order_id, TransferKind.ADJUSTMENT, reason=used)


def test_database_refuses_a_balance_below_zero() -> None:
    order = an_order(status=Status.PENDING)

    with pytest.raises(IntegrityError), transaction():
        db.session.execute(
            text("UPDATE accounts SET balance_nanos = -1 WHERE user_id = :user"), {"user": order.customer_id}
        )
