"""Vouchers: codes that add an amount to a balance.

Revision ID: 0031
Revises: 0030
Create Date: 2026-11-28 03:15:00

"""

import sqlalchemy as sa
from alembic import op

from panel.db import UtcDateTime

# revision identifiers, used by Alembic.
revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = UtcDateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "vouchers",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("starts_with", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("amount_nanos", WHOLE, nullable=False),
        sa.Column("uses", WHOLE, nullable=False),
        sa.Column("used", WHOLE, server_default="0", nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("made_by", WHOLE, nullable=True),
        sa.Column("form_key", sa.Text(), nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.CheckConstraint("amount_nanos > 0", name=op.f("ck_vouchers_amount_positive")),
        sa.CheckConstraint("used BETWEEN 0 AND uses", name=op.f("ck_vouchers_used")),
        sa.ForeignKeyConstraint(["made_by"], ["users.id"], name=op.f("fk_vouchers_made_by_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouchers")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_vouchers_code_hash")),
    )
    op.create_index(op.f("ix_vouchers_form_key"), "vouchers", ["form_key"], unique=False)
    op.create_index("ix_vouchers_made_by", "vouchers", ["made_by", "made_at"], unique=False)


def downgrade() -> None:
    op.drop_table("vouchers")
