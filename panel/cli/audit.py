"""`flask audit` checks the ledger; `flask export` prints it."""

import json

import click
from flask import current_app
from flask.cli import with_appcontext

from panel.cli.errors import clean_errors
from panel.cli.progress import progress_lines
from panel.clock import utc_now
from panel.db import schema_check, write_if_unlocked
from panel.models import CheckpointKind
from panel.services.money import audit as auditing
from panel.services.money import chain_verification
from panel.services.money import export as money_export
from panel.services.money.chain_report import ChainHead


@click.command("audit")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--full", is_flag=True, help="Verify the hash chains from the first row, not from the last checkpoint.")
@click.option(
    "--noted",
    multiple=True,
    metavar="TABLE:ID:DIGEST",
    help="A digest that an earlier audit printed: it must come out again. Implies --full.",
)
@with_appcontext
def audit(as_json: bool, full: bool, noted: tuple[str, ...]) -> None:
    """Recompute everything from transfers and events. Exits with 1 when anything differs."""
    marks = [_chain_head(text) for text in noted]
    with clean_errors():
        schema_check.check(current_app.config["MIGRATIONS"])
    now = utc_now()
    found = auditing.audit(from_start=full, noted=marks, now=now, progress=progress_lines(), is_resumable=True)
    # If another process is writing at this moment, the next audit verifies these rows again.
    write_if_unlocked(lambda: auditing.record(found, now=now))
    digests = [f"{mark.kind}:{mark.up_to_id}:{mark.digest}" for mark in found.chains.marks.values() if mark.up_to_id]
    if as_json:
        facts = {
            "sound": found.is_sound,
            "orders": found.orders,
            "transfers": found.transfers,
            "differences": list(found.differences),
            "chains_from_start": found.chains.is_from_start,
            "digests": digests,
        }
        click.echo(json.dumps(facts))
    else:
        for difference in found.differences:
            click.echo(difference)
        verdict = "sound" if found.is_sound else f"{len(found.differences)} differences"
        click.echo(f"{found.orders} orders and {found.transfers} transfers: {verdict}.", err=True)
        chains = "the first row" if found.chains.is_from_start else "the last checkpoint"
        click.echo(f"The hash chains were verified from {chains} on.", err=True)
        for digest in digests:
            click.echo(f"Note this digest elsewhere, and check it later with --noted: {digest}", err=True)
    if not found.is_sound:
        raise SystemExit(1)


def _chain_head(text: str) -> ChainHead:
    table, _, rest = text.partition(":")
    row_id, _, digest = rest.partition(":")
    if table not in chain_verification.TABLES or not row_id.isascii() or not row_id.isdigit() or not digest:
        raise click.BadParameter(f"{text} is not TABLE:ID:DIGEST as the audit prints it.", param_hint="--noted")
    return ChainHead(CheckpointKind(table), int(row_id), digest)


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
