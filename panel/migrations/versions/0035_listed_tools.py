"""Listed tools: the API's list of services as last announced by webhook.

Revision ID: 0035
Revises: 0034
Create Date: 2026-11-28 06:50:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("catalogue", sa.Column("announced_version", WHOLE, nullable=True))
    op.create_table(
        "listed_tools",
        sa.Column("tool_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_listed_tools_tool_id_tools")),
        sa.PrimaryKeyConstraint("tool_id", name=op.f("pk_listed_tools")),
    )


def downgrade() -> None:
    op.drop_table("listed_tools")
    op.drop_column("catalogue", "announced_version")
