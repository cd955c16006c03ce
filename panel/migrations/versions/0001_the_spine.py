"""The spine: people, money, tools, orders and the work around them.

Revision ID: 0001
Revises:
Create Date: 2026-11-23 03:10:55.229405

"""

import sqlalchemy as sa
from alembic import op

import panel.db


# revision identifiers, used by Alembic.
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "catalogue",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue")),
    )
    op.create_table(
        "failed_tries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failed_tries")),
    )
    with op.batch_alter_table("failed_tries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_failed_tries_bucket"), ["bucket"], unique=False)

    op.create_table(
        "heartbeats",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("worker", name=op.f("pk_heartbeats")),
    )
    op.create_table(
        "providers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.Column("paused_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("call_after", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("created_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('panel_api', 'manual', 'simulated')", name=op.f("ck_providers_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_providers")),
        sa.UniqueConstraint("name", name=op.f("uq_providers_name")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_operator", sa.Boolean(), nullable=False),
        sa.Column("state_version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("balance_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint("(kind = 'customer') = (balance_nanos IS NOT NULL)", name=op.f("ck_accounts_cache")),
        sa.CheckConstraint("(kind = 'customer') = (user_id IS NOT NULL)", name=op.f("ck_accounts_owner")),
        sa.CheckConstraint(
            "kind IN ('customer', 'holds', 'sales', 'deposits', 'adjustments')", name=op.f("ck_accounts_kind")
        ),
        sa.CheckConstraint("balance_nanos >= 0", name=op.f("ck_accounts_balance_not_negative")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("user_id", name=op.f("uq_accounts_user_id")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.create_index(
            "uq_accounts_house",
            ["kind"],
            unique=True,
            sqlite_where=sa.text("user_id IS NULL"),
            postgresql_where=sa.text("user_id IS NULL"),
        )

    op.create_table(
        "order_counts",
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("orders", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_order_counts_customer_id_users")),
        sa.PrimaryKeyConstraint("customer_id", "status", name=op.f("pk_order_counts")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("signed_in_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sign_ins_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_ins")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sign_ins_token_hash")),
    )
    with op.batch_alter_table("sign_ins", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_ins_user_id"), ["user_id"], unique=False)

    op.create_table(
        "tools",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider_service", sa.Text(), nullable=False),
        sa.Column("terms_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("is_hidden", sa.Boolean(), nullable=False),
        sa.Column("changed_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_tools_provider_id_providers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tools")),
        sa.UniqueConstraint("slug", name=op.f("uq_tools_slug")),
    )
    op.create_table(
        "terms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tool_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("price_micros_per_thousand", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("minimum", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("maximum", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link_pattern", sa.Text(), nullable=False),
        sa.Column("link_example", sa.Text(), nullable=False),
        sa.Column("link_counter_example", sa.Text(), nullable=False),
        sa.Column("link_hint", sa.Text(), nullable=False),
        sa.Column("refill_days", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("can_cancel", sa.Boolean(), nullable=False),
        sa.Column("since", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("minimum > 0 AND minimum <= maximum", name=op.f("ck_terms_limits")),
        sa.CheckConstraint("price_micros_per_thousand > 0", name=op.f("ck_terms_price_positive")),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_terms_tool_id_tools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terms")),
        sa.UniqueConstraint("tool_id", "version", name=op.f("uq_terms_tool_id_version")),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tool_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("terms_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("price_micros_per_thousand", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("charge_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("placed_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("remains", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("start_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kept_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("returned_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("completed_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("ended_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider_service", sa.Text(), nullable=False),
        sa.Column("provider_order_id", sa.Text(), nullable=True),
        sa.Column("dispatch_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("sync_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("unconfirmed_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'processing', 'in_progress', 'completed', 'partial', 'canceled', 'refill')",
            name=op.f("ck_orders_status"),
        ),
        sa.CheckConstraint(
            "charge_nanos = quantity * price_micros_per_thousand AND charge_nanos > 0", name=op.f("ck_orders_charge")
        ),
        sa.CheckConstraint(
            "kept_nanos >= 0 AND returned_nanos >= 0 AND kept_nanos + returned_nanos <= charge_nanos",
            name=op.f("ck_orders_settled"),
        ),
        sa.CheckConstraint("quantity > 0 AND remains >= 0 AND remains <= quantity", name=op.f("ck_orders_counts")),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_orders_customer_id_users")),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_orders_provider_id_providers")),
        sa.ForeignKeyConstraint(["terms_id"], ["terms.id"], name=op.f("fk_orders_terms_id_terms")),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_orders_tool_id_tools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("customer_id", "request_id", name=op.f("uq_orders_customer_id_request_id")),
        sa.UniqueConstraint("provider_id", "provider_order_id", name=op.f("uq_orders_provider_id_provider_order_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("ix_orders_by_day", ["customer_id", "placed_at"], unique=False)
        batch_op.create_index("ix_orders_by_status", ["customer_id", "status", "id"], unique=False)
        batch_op.create_index("ix_orders_by_tool", ["customer_id", "tool_id", "id"], unique=False)
        batch_op.create_index(
            "ix_orders_dispatch",
            ["provider_id", "dispatch_at"],
            unique=False,
            sqlite_where=sa.text("dispatch_at IS NOT NULL"),
            postgresql_where=sa.text("dispatch_at IS NOT NULL"),
        )
        batch_op.create_index("ix_orders_history", ["customer_id", "id"], unique=False)
        batch_op.create_index(
            "ix_orders_sync",
            ["provider_id", "sync_at"],
            unique=False,
            sqlite_where=sa.text("sync_at IS NOT NULL"),
            postgresql_where=sa.text("sync_at IS NOT NULL"),
        )

    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("lease_until", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("answered_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('add', 'refill')", name=op.f("ck_attempts_kind")),
        sa.CheckConstraint(
            "state IN ('intent', 'sent', 'refused', 'not_sent', 'unknown', 'settled')", name=op.f("ck_attempts_state")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_attempts_order_id_orders")),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_attempts_provider_id_providers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_order", ["order_id", "id"], unique=False)
        batch_op.create_index(
            "uq_attempts_open",
            ["order_id", "kind"],
            unique=True,
            sqlite_where=sa.text("state IN ('intent', 'unknown')"),
            postgresql_where=sa.text("state IN ('intent', 'unknown')"),
        )

    op.create_table(
        "cancellations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("answered_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("due_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('asked', 'accepted', 'refused')", name=op.f("ck_cancellations_state")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_cancellations_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cancellations")),
    )
    with op.batch_alter_table("cancellations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cancellations_due_at"), ["due_at"], unique=False)
        batch_op.create_index("ix_cancellations_order", ["order_id", "id"], unique=False)
        batch_op.create_index(
            "uq_cancellations_open",
            ["order_id"],
            unique=True,
            sqlite_where=sa.text("state = 'asked'"),
            postgresql_where=sa.text("state = 'asked'"),
        )

    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("old_status", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("remains", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("start_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kept_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("returned_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_events_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index("ix_events_order", ["order_id", "id"], unique=False)

    op.create_table(
        "refills",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("ended_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("provider_refill_id", sa.Text(), nullable=True),
        sa.Column("due_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('requested', 'running', 'completed', 'refused')", name=op.f("ck_refills_state")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_refills_order_id_orders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refills")),
    )
    with op.batch_alter_table("refills", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refills_due_at"), ["due_at"], unique=False)
        batch_op.create_index("ix_refills_order", ["order_id", "id"], unique=False)
        batch_op.create_index(
            "uq_refills_open",
            ["order_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('requested', 'running')"),
            postgresql_where=sa.text("state IN ('requested', 'running')"),
        )

    op.create_table(
        "reviews",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("opened_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", panel.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_reviews_order_id_orders")),
        sa.ForeignKeyConstraint(["provider_id"], ["providers.id"], name=op.f("fk_reviews_provider_id_providers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_reviews_fingerprint")),
    )
    with op.batch_alter_table("reviews", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_reviews_order_id"), ["order_id"], unique=False)

    op.create_table(
        "transfers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("from_account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("to_account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('charge', 'keep', 'return', 'deposit', 'adjustment')", name=op.f("ck_transfers_kind")
        ),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_transfers_amount_positive")),
        sa.CheckConstraint("from_account_id <> to_account_id", name=op.f("ck_transfers_two_accounts")),
        sa.ForeignKeyConstraint(
            ["from_account_id"], ["accounts.id"], name=op.f("fk_transfers_from_account_id_accounts")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_transfers_order_id_orders")),
        sa.ForeignKeyConstraint(["to_account_id"], ["accounts.id"], name=op.f("fk_transfers_to_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("reason", name=op.f("uq_transfers_reason")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.create_index("ix_transfers_from", ["from_account_id", "id"], unique=False)
        batch_op.create_index("ix_transfers_to", ["to_account_id", "id"], unique=False)
        batch_op.create_index(
            "uq_transfers_settling",
            ["order_id", "kind"],
            unique=True,
            sqlite_where=sa.text("kind IN ('charge', 'keep', 'return')"),
            postgresql_where=sa.text("kind IN ('charge', 'keep', 'return')"),
        )

    op.create_table(
        "top_ups",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("amount_nanos", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("requested_at", panel.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("transfer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_top_ups_amount_positive")),
        sa.ForeignKeyConstraint(["customer_id"], ["users.id"], name=op.f("fk_top_ups_customer_id_users")),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.id"], name=op.f("fk_top_ups_transfer_id_transfers")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_top_ups")),
        sa.UniqueConstraint("reference", name=op.f("uq_top_ups_reference")),
    )
    with op.batch_alter_table("top_ups", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_top_ups_customer_id"), ["customer_id"], unique=False)

    _seed()
    _forbid_changes()


APPEND_ONLY = ("transfers", "events", "audit_log", "terms")


def _seed() -> None:
    accounts = sa.table("accounts", sa.column("kind", sa.Text()))
    op.bulk_insert(accounts, [{"kind": kind} for kind in ("holds", "sales", "deposits", "adjustments")])
    catalogue = sa.table("catalogue", sa.column("id", sa.Integer()), sa.column("version", sa.Integer()))
    op.bulk_insert(catalogue, [{"id": 1, "version": 1}])


def _forbid_changes() -> None:
    """Rows of these tables are added and never changed, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    raise RuntimeError("The first revision is where the data begins: restore a backup instead.")
