"""Mails about changed terms: what customers know of each tool, and the running round.

Revision ID: 0048
Revises: 0047
Create Date: 2026-11-28 14:20:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "mailed_terms",
        sa.Column("tool_id", ID, autoincrement=False, nullable=False),
        sa.Column("terms_id", ID, nullable=False),
        sa.Column("is_hidden", sa.Boolean(), nullable=False),
        sa.Column("new_terms_id", ID, nullable=True),
        sa.Column("new_is_hidden", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_mailed_terms_tool_id_tools")),
        sa.ForeignKeyConstraint(["terms_id"], ["terms.id"], name=op.f("fk_mailed_terms_terms_id_terms")),
        sa.ForeignKeyConstraint(["new_terms_id"], ["terms.id"], name=op.f("fk_mailed_terms_new_terms_id_terms")),
        sa.PrimaryKeyConstraint("tool_id", name=op.f("pk_mailed_terms")),
    )
    op.create_table(
        "terms_rounds",
        sa.Column("id", ID, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("seen_version", ID, nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("mailed_up_to", ID, nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terms_rounds")),
    )


def downgrade() -> None:
    op.drop_table("terms_rounds")
    op.drop_table("mailed_terms")
