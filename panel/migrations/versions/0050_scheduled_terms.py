"""Changes of terms that take effect at a date.

Revision ID: 0050
Revises: 0049
Create Date: 2026-11-28 14:30:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "scheduled_terms",
        sa.Column("id", ID, nullable=False),
        sa.Column("tool_id", ID, nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("terms_id", ID, nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("announced_round", ID, nullable=True),
        sa.Column("withdrawn_round", ID, nullable=True),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_scheduled_terms_tool_id_tools")),
        sa.ForeignKeyConstraint(["terms_id"], ["terms.id"], name=op.f("fk_scheduled_terms_terms_id_terms")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_terms")),
    )
    op.create_index(op.f("ix_scheduled_terms_tool_id"), "scheduled_terms", ["tool_id"])
    op.create_index(
        "uq_scheduled_terms_pending",
        "scheduled_terms",
        ["tool_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("scheduled_terms")
