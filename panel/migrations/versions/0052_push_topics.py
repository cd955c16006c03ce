"""PostgreSQL also notifies the push hub of rounds of probes and of public links, which visitors' pages listen to.

Revision ID: 0052
Revises: 0051
Create Date: 2026-11-28 14:45:00

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

TABLES = ("measurements", "public_links")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(
            f"CREATE TRIGGER {table}_notify_hub AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION panel_notify_hub()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_notify_hub ON {table}")
