"""How Alembic reaches the database: through the app that is running."""

from alembic import context
from flask import current_app

from panel.db import Base, db


def run() -> None:
    """Apply migrations on the app's own engine, each in one transaction."""
    with db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            transaction_per_migration=True,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
