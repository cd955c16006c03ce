"""Indexes of what is open, or shown first, among requests and incidents that pile up.

Revision ID: 0069
Revises: 0063
Create Date: 2026-11-28 22:30:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0069"
down_revision = "0063"
branch_labels = None
depends_on = None

INDEXES = (
    (
        "ix_announcements_public",
        "announcements",
        ("published_at", "id"),
        "published_at IS NOT NULL AND withdrawn_at IS NULL",
    ),
    ("ix_proposals_open", "proposals", ("id",), "state = 'open'"),
    ("ix_cancellations_open", "cancellations", ("id",), "state = 'asked'"),
    ("ix_deposits_open", "deposits", ("customer_id",), "transfer_id IS NULL AND refused_at IS NULL"),
    ("ix_deposits_waiting", "deposits", ("method", "id"), "transfer_id IS NULL AND refused_at IS NULL"),
    ("ix_deposits_refused", "deposits", ("customer_id", "refused_at"), "refused_at IS NOT NULL"),
    ("ix_deposits_transfer", "deposits", ("transfer_id",), "transfer_id IS NOT NULL"),
    ("ix_tickets_closed", "tickets", ("waits_since", "id"), "state = 'closed'"),
    ("ix_vouchers_open", "vouchers", ("id",), "revoked_at IS NULL AND used < uses"),
    ("ix_incidents_open", "incidents", ("began_at",), "published_at IS NOT NULL AND resolved_at IS NULL"),
    ("ix_incidents_published", "incidents", ("began_at", "id"), "published_at IS NOT NULL"),
    ("ix_incidents_dismissed", "incidents", ("began_at", "id"), "dismissed_at IS NOT NULL"),
)


def upgrade() -> None:
    op.create_index("ix_audit_log_at", "audit_log", ["at"])
    for name, table, columns, where in INDEXES:
        is_in = sa.text(where)
        op.create_index(name, table, list(columns), sqlite_where=is_in, postgresql_where=is_in)


def downgrade() -> None:
    for name, table, _columns, _where in reversed(INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_index("ix_audit_log_at", table_name="audit_log")
