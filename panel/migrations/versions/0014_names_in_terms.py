"""Names in terms: an order keeps the name, category and unit it was bought under, whatever its tool is called later.

What a tool was called before this revision is not known any more: its present words are those of all its versions.

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-27 11:30:00

"""

import sqlalchemy as sa
from alembic import op

# revision identifiers, used by Alembic.
revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WORDS = ("name", "category", "unit")
# What the provider's own catalogue last called it, whatever an operator calls it here.
PROVIDERS_WORDS = ("provider_name", "provider_category")


def upgrade() -> None:
    for word in WORDS:
        op.add_column("terms", sa.Column(word, sa.Text(), server_default="", nullable=False))
    for word in PROVIDERS_WORDS:
        op.add_column("tools", sa.Column(word, sa.Text(), server_default="", nullable=False))
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("DROP TRIGGER terms_no_update")
    else:
        op.execute("ALTER TABLE terms DISABLE TRIGGER terms_no_change")
    sources = ", ".join(f"{word} = (SELECT tools.{word} FROM tools WHERE tools.id = terms.tool_id)" for word in WORDS)
    op.execute(f"UPDATE terms SET {sources}")  # noqa: S608
    if is_sqlite:
        op.execute(
            "CREATE TRIGGER terms_no_update BEFORE UPDATE ON terms "
            "BEGIN SELECT RAISE(ABORT, 'terms is append-only'); END"
        )
    else:
        op.execute("ALTER TABLE terms ENABLE TRIGGER terms_no_change")
    op.execute(
        "UPDATE tools SET provider_name = name, provider_category = category "
        "WHERE provider_rate_micros IS NOT NULL "
        "AND ' ' || set_by_hand || ' ' NOT LIKE '% name %' AND ' ' || set_by_hand || ' ' NOT LIKE '% category %'"
    )


def downgrade() -> None:
    for word in PROVIDERS_WORDS:
        op.drop_column("tools", word)
    for word in WORDS:
        op.drop_column("terms", word)
