"""`flask audit` checks the ledger; `flask export` prints it."""

import json

import click
from flask import current_app
from flask.cli import with_appcontext

from panel.cli.errors import clean_errors
from panel.db import schema_check
from panel.services.money import audit as auditing
from panel.services.money import export as money_export


@click.command("audit")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@with_appcontext
def audit(as_json: bool) -> None:
    """Recompute everything from transfers and events. Exits with 1 when anything differs."""
    with clean_errors():
        schema_check.check(current_app.config["MIGRATIONS"])
    found = auditing.audit()
    if as_json:
        facts = {
            "sound": found.is_sound,
            "orders": found.orders,
            "transfers": found.transfers,
            "differences": list(found.differences),
        }
        click.echo(json.dumps(facts))
    else:
        for difference in found.differences:
            click.echo(difference)
        verdict = "sound" if found.is_sound else f"{len(found.differences)} differences"
        click.echo(f"{found.orders} orders and {found.transfers} transfers: {verdict}.", err=True)
    if not found.is_sound:
        raise SystemExit(1)


@click.command("export")
@with_appcontext
def export() -> None:
    """Print orders, attempts, transfers, events, refills and accounts, one JSON object a line."""
    with clean_errors():
        schema_check.check(current_app.config["MIGRATIONS"])
    count = 0
    for row in money_export.rows():
        click.echo(json.dumps(row, ensure_ascii=False))
        count += 1
    click.echo(f"{count} rows.", err=True)
