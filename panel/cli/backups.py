"""`flask backup` and `flask restore`: all rows in one file, restored into an empty database."""

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from panel.cli.errors import clean_errors, cli_transaction
from panel.cli.progress import progress_lines
from panel.clock import utc_now
from panel.db import db, schema_check
from panel.domain.errors import ActionRefused
from panel.models import Provider
from panel.security import encryption
from panel.services.backups import dump, file_format
from panel.services.backups import restore as backup_restore
from panel.services.money import audit as auditing
from panel.settings import Settings

FILE = click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))


@click.command("backup")
@FILE
@with_appcontext
def backup(path: Path) -> None:
    """Write a consistent snapshot of every row to a new file, while the panel runs. Secret files are not included."""
    with clean_errors():
        schema_check.check(current_app.config["MIGRATIONS"])
        count = dump.write(path, now=utc_now(), progress=progress_lines())
    click.echo(f"{count} rows are in {path}. Keep the instance folder's seal_key and secret_key as well.", err=True)


@click.command("restore")
@FILE
@with_appcontext
def restore(path: Path) -> None:
    """Put a backup into an empty database; orders that were not sent yet wait in reviews. Exits with 1 if unsound."""
    with clean_errors():
        head = file_format.read_head(path)
        rows = backup_restore.check(path)
        _bring_tables_to(head.revision)
    with cli_transaction():
        count = backup_restore.load(path, progress=progress_lines(), rows=rows)
    _upgrade()
    with cli_transaction():
        orders, refills = backup_restore.hold(now=utc_now())
    click.echo(f"{count} rows of {head.made_at} are restored.", err=True)
    click.echo(f"{orders} orders and {refills} refills wait in reviews: flask reviews list", err=True)
    for name in _encrypted_with_another_key():
        click.echo(f"The key of provider {name} cannot be decrypted: set PANEL_SEAL_KEY as it was.", err=True)
    found = auditing.audit(from_start=True, progress=progress_lines())
    for difference in found.differences:
        click.echo(difference)
    if not found.is_sound:
        raise SystemExit(1)


def _upgrade(revision: str = "head") -> None:
    import flask_migrate

    flask_migrate.upgrade(revision=revision)


def _bring_tables_to(revision: str) -> None:
    """Tables of the backup's own revision, so that each row fits. Raises Refused where there are others."""
    with db.engine.connect() as connection:
        present = file_format.revision_of(connection)
    if present is None:
        try:
            _upgrade(revision)
        except SystemExit:
            raise ActionRefused(
                f"This version does not know revision {revision}: it is older than the backup."
            ) from None
    elif present != revision:
        raise ActionRefused(
            f"The tables here stand at revision {present}, the backup's at {revision}. "
            "Restore into an empty database: a new PANEL_INSTANCE folder."
        )


def _encrypted_with_another_key() -> list[str]:
    settings: Settings = current_app.config["PANEL"]
    names = []
    for provider in db.session.scalars(select(Provider).where(Provider.encrypted_key != "")):
        try:
            encryption.decrypt(provider.encrypted_key, settings=settings)
        except encryption.DecryptionFailed:
            names.append(provider.name)
    return names
