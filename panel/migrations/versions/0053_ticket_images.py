"""Images attached to ticket messages.

Revision ID: 0053
Revises: 0052
Create Date: 2026-11-28 14:20:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "ticket_images",
        sa.Column("id", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("number", INT, nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", INT, nullable=False),
        sa.Column("height", INT, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("thumbnail_type", sa.Text(), nullable=False),
        sa.Column("thumbnail_width", INT, nullable=False),
        sa.Column("thumbnail_height", INT, nullable=False),
        sa.Column("thumbnail", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("media_type IN ('image/png', 'image/jpeg')", name=op.f("ck_ticket_images_media_type")),
        sa.CheckConstraint(
            "thumbnail_type IN ('image/png', 'image/jpeg')", name=op.f("ck_ticket_images_thumbnail_type")
        ),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_images_ticket_id_tickets")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ticket_entries.id"], name=op.f("fk_ticket_images_entry_id_ticket_entries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_images")),
        sa.UniqueConstraint("entry_id", "number", name=op.f("uq_ticket_images_entry_id_number")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_ticket_images_of_ticket", "ticket_images", ["ticket_id"])


def downgrade() -> None:
    op.drop_table("ticket_images")
