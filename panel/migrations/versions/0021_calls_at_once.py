"""Calls at once: how many calls a provider gets at the same time, and a table of the running ones.

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-27 23:30:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("providers", sa.Column("calls_at_once", ID, server_default="8", nullable=False))
    op.create_table(
        "provider_calls",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("lease_until", UtcDateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('add', 'status')", name=op.f("ck_provider_calls_kind")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.id"], name=op.f("fk_provider_calls_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_calls")),
    )
    op.create_index("ix_provider_calls_running", "provider_calls", ["provider_id", "kind"])


def downgrade() -> None:
    op.drop_table("provider_calls")
    op.drop_column("providers", "calls_at_once")
