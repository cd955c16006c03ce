"""`flask orders`: orders fulfilled by hand."""

import click
from flask.cli import AppGroup

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.domain.status import Status
from panel.services.orders import manual as manual_orders

# Upper limit for a typed count, far below what the column holds.
MAX_COUNT = 10**15

orders_group = AppGroup("orders", help="Orders.")


@orders_group.command("set")
@click.argument("order_id", metavar="ID", type=int)
@click.option("--status", type=click.Choice([status.value for status in Status]), required=True)
@click.option("--remains", type=int, help="What is still to be delivered.")
@click.option("--start-count", type=click.IntRange(0, MAX_COUNT), help="The count before the order began.")
@click.option("--reason", help="Why; the customer reads it with the order.")
def set_order(order_id: int, status: str, remains: int | None, start_count: int | None, reason: str | None) -> None:
    """Set status and counts of a manual order. Refused unless its tool's provider is manual."""
    with cli_transaction():
        manual_orders.set_order(
            order_id, Status(status), remains=remains, start_count=start_count, reason=reason, now=utc_now()
        )
    click.echo(f"Order {order_id} is {Status(status).label}.", err=True)
