"""`flask approvals`: approve or refuse proposals on the server.

A panel with one operator needs it, since in the office nobody can approve their own proposal.
"""

import getpass

import click
from flask.cli import AppGroup

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.domain import money
from panel.services.office import approval_list, second_approval

approvals_group = AppGroup("approvals", help="Proposals that need a second operator's approval.")


@approvals_group.command("list")
def list_waiting() -> None:
    """Print number, kind, account, amount, proposer and reason of what is waiting."""
    for each in approval_list.waiting(now=utc_now()):
        row = each.row
        click.echo(
            f"{row.id}\t{row.kind}\t{each.customer}\t{money.plain(row.amount_nanos)}\t{each.proposer}\t{row.reason}"
        )


@approvals_group.command("approve")
@click.argument("proposal_id", type=int)
def approve(proposal_id: int) -> None:
    """Approve a proposal and carry it out."""
    with cli_transaction():
        second_approval.confirm(proposal_id, operator_id=None, actor=actor(), balance_nanos=None, now=utc_now())
    click.echo(f"Proposal {proposal_id} is approved.", err=True)


@approvals_group.command("refuse")
@click.argument("proposal_id", type=int)
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def refuse(proposal_id: int, reason: str) -> None:
    """Refuse a proposal. Nothing is changed."""
    with cli_transaction():
        second_approval.refuse(proposal_id, reason=reason, operator_id=None, actor=actor(), now=utc_now())
    click.echo(f"Proposal {proposal_id} is refused.", err=True)


def actor() -> str:
    """Who decides, for the audit log and the office."""
    return f"{getpass.getuser()} (command line)"
