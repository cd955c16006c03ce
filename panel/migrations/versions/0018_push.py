"""Push: PostgreSQL notifies the push hub when something is committed that open pages may show.

One notification a transaction, since equal ones are merged. SQLite needs none: the hub looks at the file's version.

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-27 19:10:00

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# Customers' pages depend on users, sessions and the catalogue; the office's pages also on what waits in its queues.
TABLES = (
    "users",
    "sign_ins",
    "catalogue",
    "proposals",
    "providers",
    "reviews",
    "tickets",
    "top_ups",
)
FUNCTION = """
CREATE FUNCTION panel_notify_hub() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('panel_changed', '');
    RETURN NULL;
END $$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(FUNCTION)
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
    op.execute("DROP FUNCTION panel_notify_hub()")
