"""Imports of catalogues in the office: the fetched rows, progress, and the tools as they were before.

Revision ID: 0043
Revises: 0042
Create Date: 2026-11-28 11:20:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
STATES = "'asked', 'ready', 'applying', 'applied', 'undoing', 'undone', 'failed', 'dropped'"
IS_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "catalogue_imports",
        sa.Column("id", ID, nullable=False),
        sa.Column("provider_id", ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        sa.Column("rows", sa.Text(), server_default="", nullable=False),
        sa.Column("skipped", sa.Text(), server_default="", nullable=False),
        sa.Column("chosen", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        *(
            sa.Column(name, ID, server_default="0", nullable=False)
            for name in ("done", "total", "added", "changed", "hidden", "left_alone")
        ),
        sa.CheckConstraint(f"state IN ({STATES})", name=op.f("ck_catalogue_imports_state")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["providers.id"], name=op.f("fk_catalogue_imports_provider_id_providers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalogue_imports")),
    )
    op.create_index(op.f("ix_catalogue_imports_provider_id"), "catalogue_imports", ["provider_id"])
    op.create_index(
        "ix_catalogue_imports_due", "catalogue_imports", ["due_at"], sqlite_where=IS_DUE, postgresql_where=IS_DUE
    )
    op.create_table(
        "imported_tools",
        sa.Column("id", ID, nullable=False),
        sa.Column("import_id", ID, nullable=False),
        sa.Column("tool_id", ID, nullable=False),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("terms_id", ID, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["catalogue_imports.id"], name=op.f("fk_imported_tools_import_id_catalogue_imports")
        ),
        sa.ForeignKeyConstraint(["tool_id"], ["tools.id"], name=op.f("fk_imported_tools_tool_id_tools")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imported_tools")),
        sa.UniqueConstraint("import_id", "tool_id", name=op.f("uq_imported_tools_import_id_tool_id")),
    )


def downgrade() -> None:
    op.drop_table("imported_tools")
    op.drop_table("catalogue_imports")
