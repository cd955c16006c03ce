"""`flask vouchers`: make voucher codes without the limit of the office."""

import getpass
from datetime import UTC, datetime, timedelta

import click
from flask.cli import AppGroup

from panel.cli.errors import clean_errors, cli_transaction
from panel.clock import utc_now
from panel.domain import money
from panel.services.office import second_approval
from panel.services.payments import vouchers
from panel.services.payments.vouchers import NewVouchers

vouchers_group = AppGroup("vouchers", help="Codes that add an amount to a balance.")


@vouchers_group.command("make")
@click.argument("amount")
@click.option("--note", required=True, help="What it is for; only operators see it.")
@click.option("--uses", default=1, show_default=True, help="How many customers can redeem each code.")
@click.option("--codes", default=1, show_default=True, help="How many codes to make.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day, in UTC.")
def make(amount: str, note: str, uses: int, codes: int, until: datetime | None) -> None:
    """Make vouchers of AMOUNT and print their codes, one a line. Nothing shows them again."""
    with clean_errors():
        amount_nanos = money.parse_nanos(amount)
    expires_at = None if until is None else until.replace(tzinfo=UTC) + timedelta(days=1)
    wanted = NewVouchers(
        amount_nanos,
        uses,
        codes,
        expires_at,
        note,
        form_key=second_approval.new_form_key(),
        made_by=None,
        actor=getpass.getuser(),
    )
    with cli_transaction():
        made = vouchers.make(wanted, limit_nanos=0, now=utc_now())
    for code in made:
        click.echo(code)
