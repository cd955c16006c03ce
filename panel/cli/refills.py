"""`flask refills`: list open refills, and close one that its provider never finishes."""

import getpass
import json

import click
from flask.cli import AppGroup

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.domain.refill import RefillState
from panel.services.orders import refill_endings
from panel.services.orders.refill_endings import OpenRefill

ENDS = [state.value for state in RefillState if not state.is_open]

refills_group = AppGroup("refills", help="Refills.")


@refills_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_refills(as_json: bool) -> None:
    """Print id, order, provider, state and time of asking of every open refill, the oldest first."""
    found = refill_endings.open_refills()
    if as_json:
        click.echo(json.dumps([_as_json(refill) for refill in found]))
        return
    for refill in found:
        asked_at = refill.asked_at.isoformat()
        click.echo(f"{refill.id}\t{refill.order_id}\t{refill.provider}\t{refill.state}\t{asked_at}")


def _as_json(refill: OpenRefill) -> dict[str, object]:
    return {
        "id": refill.id,
        "order": refill.order_id,
        "provider": refill.provider,
        "state": refill.state.value,
        "provider_refill_id": refill.provider_refill_id,
        "asked_at": refill.asked_at.isoformat(),
    }


@refills_group.command("end")
@click.argument("refill_id", metavar="ID", type=int)
@click.option("--as", "state", type=click.Choice(ENDS), required=True, help="What became of it.")
@click.option("--reason", required=True, help="Why; the audit log keeps it, and the customer reads it with a refusal.")
def end_refill(refill_id: int, state: str, reason: str) -> None:
    """Close an open refill of any provider. The order becomes Completed again; no money moves."""
    with cli_transaction():
        refill_endings.end_by_operator(
            refill_id, RefillState(state), reason=reason, actor=getpass.getuser(), now=utc_now()
        )
    click.echo(f"Refill {refill_id} is {state}.", err=True)
