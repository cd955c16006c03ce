"""Revision 0059: the tables with new names keep their rows, also on the way back."""

from typing import Any

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from panel.db import db, transaction
from panel.models import (
    DepositRequest,
    LoginSession,
    Mail,
    OrderAssignment,
    PendingSession,
    Proposal,
    ProposalKind,
    Provider,
    User,
    Webhook,
    WebhookDelivery,
    WebhookEndpoint,
)
from panel.models.api_and_webhooks import DeliveryState
from panel.services.money import audit, deposits, ledger
from panel.services.office import second_approval
from panel.services.office.balance_changes import BalanceChange
from tests.migrations.described import described
from tests.support.factories import NOON, an_operator
from tests.support.office_world import LIMIT, a_world

pytestmark = pytest.mark.both_engines

# Each table with its name of before, and the columns that had other names then.
BEFORE = {
    "deposits": ("top_ups", {}),
    "proposals": ("proposals", {"deposit_id": "top_up_id"}),
    "webhook_endpoints": (
        "receivers",
        {"encrypted_secret": "sealed_secret", "encrypted_old_secret": "sealed_old_secret"},
    ),
    "deliveries": ("deliveries", {"endpoint_id": "receiver_id"}),
    "sessions": ("sign_ins", {"logged_in_at": "signed_in_at"}),
    "pending_sessions": ("half_sign_ins", {}),
    "order_assignments": ("claims", {"assigned_at": "claimed_at"}),
    "users": ("users", {"encrypted_totp": "sealed_totp"}),
    "providers": ("providers", {"encrypted_key": "sealed_key"}),
    "mails": ("mails", {"is_encrypted": "is_sealed"}),
    "audit_log": ("audit_log", {"action": "act"}),
}
OLD_WORDS = ("top_up", "receiver", "sealed", "sign_in", "claim")


def test_rows_keep_their_values_forward_and_back(app: Flask) -> None:
    a_row_in_each_table()
    now = {table: rows(table) for table in BEFORE}
    with db.engine.connect() as connection:
        schema = described(connection)
    assert all(now.values())

    flask_migrate.downgrade(revision="0058")

    before = {table: rows(name) for table, (name, _columns) in BEFORE.items()}
    assert before == {table: [under_old_names(table, row) for row in now[table]] for table in BEFORE}
    assert {row["kind"] for row in before["proposals"]} == {"credit", "top_up"}

    flask_migrate.upgrade()

    assert {table: rows(table) for table in BEFORE} == now
    with db.engine.connect() as connection:
        assert described(connection) == schema
        assert not [line for line in schema if any(word in line for word in OLD_WORDS)]
    assert audit.audit().is_sound
    db.session.rollback()
    for change in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"):
        with pytest.raises(DBAPIError, match="append-only"), db.engine.begin() as connection:
            connection.execute(text(change))


def test_new_rows_get_new_numbers(app: Flask) -> None:
    a_row_in_each_table()
    customer_id, last = db.session.execute(select(DepositRequest.customer_id, DepositRequest.id)).all()[-1]
    db.session.rollback()
    flask_migrate.downgrade(revision="0058")
    flask_migrate.upgrade()

    with transaction():
        request = deposits.request_deposit(customer_id, amount_nanos=LIMIT // 2, now=NOON)
        assert request.id == last + 1


def a_row_in_each_table() -> None:
    world = a_world()
    operator = an_operator()
    with transaction():
        customer, deposit = db.session.get_one(User, world.customer), deposits.find(world.deposit)
        customer.encrypted_totp = "totp"
        db.session.get_one(Provider, world.provider).encrypted_key = "key"
        endpoint = WebhookEndpoint(user_id=customer.id, url="https://a.example", encrypted_secret="1", made_at=NOON)
        endpoint.encrypted_old_secret = "2"
        webhook = Webhook(public_id="x", user_id=customer.id, kind="order.completed", body="{}", at=NOON)
        db.session.add_all([endpoint, webhook])
        db.session.flush()
        parts: dict[str, Any] = {"user_id": customer.id, "token_hash": "x"}
        db.session.add_all(
            [
                WebhookDelivery(endpoint_id=endpoint.id, webhook_id=webhook.id, state=DeliveryState.WAITING),
                LoginSession(**parts, device="A browser", network="1.2.3.4", logged_in_at=NOON, seen_at=NOON),
                PendingSession(**parts, at=NOON),
                Mail(key="1", kind="reset", email="x", subject="x", text="x", is_encrypted=True, queued_at=NOON),
            ]
        )
        change = BalanceChange(
            ProposalKind.DEPOSIT,
            customer.id,
            LIMIT,
            "Paid.",
            "form",
            operator.id,
            operator.email,
            deposit_id=deposit.id,
        )
        assert second_approval.move_or_propose(
            change, balance_nanos=ledger.balance_nanos(customer.id), limit_nanos=0, now=NOON
        ).proposal_id
    assert db.session.scalars(select(OrderAssignment.order_id)).all() and db.session.scalars(select(Proposal.id)).all()
    db.session.rollback()


def rows(table: str) -> list[dict[str, Any]]:
    key = inspect(db.engine).get_pk_constraint(table)["constrained_columns"][0]
    with db.engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {table} ORDER BY {key}"))
        return [dict(row) for row in found.mappings()]


def under_old_names(table: str, row: dict[str, Any]) -> dict[str, Any]:
    _name, columns = BEFORE[table]
    renamed = {columns.get(column, column): value for column, value in row.items()}
    if table == "proposals" and row["kind"] == "deposit":
        renamed["kind"] = "top_up"
    return renamed
