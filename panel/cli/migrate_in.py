"""`flask migrate-in`: move in from another panel."""

import getpass
from pathlib import Path

import click

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.db import db
from panel.domain import money
from panel.services.moving_in import files, writing

_FORM = "\n\n".join(f"\b\n{name}:\n  " + "\n  ".join(columns) for name, columns in files.COLUMNS.items())


@click.command("migrate-in", epilog=f"The columns of each file, in any order:\n\n{_FORM}")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be done, but change nothing.")
def migrate_in(file: Path, dry_run: bool) -> None:
    """Move in users, balances, tools and open orders of another panel: all of it or nothing.

    FILE is a folder or a ZIP file with users.csv, tools.csv and orders.csv; each may be left out. The files are UTF-8
    text with commas. Amounts are in the panel's currency, as 12.50. Add the providers first: tools name them.

    Everybody gets an email with a link to choose a password. A balance is what the customer can spend now: what open
    orders hold comes on top. Orders are asked about under the provider's number, and never sent again.
    """
    with cli_transaction():
        did = writing.move_in(file, actor=getpass.getuser(), now=utc_now())
        if dry_run:
            db.session.rollback()
    click.echo("Nothing was changed. It would be:" if dry_run else "Moved in:", err=True)
    click.echo(f"{did.users:,} users with balances of {money.plain(did.balances_nanos)}")
    click.echo(f"{did.tools:,} tools")
    click.echo(f"{did.orders:,} open orders that hold {money.plain(did.held_nanos)}")
