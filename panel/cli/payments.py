"""`flask payments`: compare payment gateways with the ledger."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import click
from flask.cli import AppGroup

from panel.clock import utc_now
from panel.jobs import payments as jobs
from panel.payments.base import GatewayUnavailable
from panel.services.payments import gateways
from panel.services.payments.reconciliation import Reconciliation

payments_group = AppGroup("payments", help="Payments through gateways.")


@payments_group.command("reconcile")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day, in UTC; without it yesterday.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def reconcile(day: datetime | None, as_json: bool) -> None:
    """Compare each gateway's list of payments with the ledger for one day. Exits with 1 if anything differs."""
    wanted = (day or utc_now() - timedelta(days=1)).date()
    try:
        found = [each for method in gateways.available() if (each := jobs.compare(method, wanted)) is not None]
    except GatewayUnavailable as error:
        raise click.ClickException(f"The gateway gave no list. {error}") from error
    if as_json:
        click.echo(json.dumps([_as_dict(each) for each in found]))
    else:
        _say(found, wanted)
    if any(each.differences for each in found):
        raise SystemExit(1)


def _as_dict(found: Reconciliation) -> dict[str, Any]:
    return {
        "method": found.method,
        "day": found.day.isoformat(),
        "payments": found.payments,
        "credits": found.credits,
        "differences": list(found.differences),
    }


def _say(found: list[Reconciliation], day: date) -> None:
    if not found:
        click.echo("No payment gateway with a list of payments is set up.", err=True)
    for each in found:
        count = len(each.differences)
        click.echo(f"{each.method.label}, {day}: {each.payments} payments, {each.credits} credits, {count} differences")
        for difference in each.differences:
            click.echo(f"  {difference}")
