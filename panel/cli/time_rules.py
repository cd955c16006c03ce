"""`flask time-rules`: show and resume the rules that end orders after a timeout."""

import getpass

import click
from flask.cli import AppGroup

from panel import app_context
from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.services.orders import time_rules, timeouts
from panel.services.orders.timeouts import Due

time_rules_group = AppGroup("time-rules", help="Orders that time cancels, and the hold on that.")


@time_rules_group.command("show")
def show() -> None:
    """Show whether the rules are on hold and why, and which orders they would end now."""
    hold, due = time_rules.current(now=utc_now()), _due()
    click.echo(f"On hold since {hold.since.isoformat()}: {hold.why}" if hold is not None else "Not on hold.")
    returned = app_context.money_text(due.returned_nanos)
    click.echo(f"Due now: {due.orders} orders, which return {returned}, and {due.refills} refills.")


@time_rules_group.command("resume")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def resume(reason: str) -> None:
    """Resume the time rules. Check the clock and `flask time-rules show` first."""
    with cli_transaction():
        due = _due()
        time_rules.resume(waiting=due.count, reason=reason, actor=getpass.getuser(), now=utc_now())
    click.echo(f"Resumed: {due.orders} orders and {due.refills} refills are ended by the worker now.", err=True)


def _due() -> Due:
    settings = app_context.settings()
    return timeouts.due(
        unconfirmed_hours=settings.unconfirmed_hours, dispatch_hours=settings.dispatch_hours, now=utc_now()
    )
