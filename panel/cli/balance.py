"""`flask balance`: record a deposit that has arrived."""

import getpass
import secrets

import click
from flask.cli import AppGroup

from panel.cli.errors import clean_errors, cli_transaction
from panel.clock import utc_now
from panel.domain import money
from panel.domain.errors import ActionRefused, BadMoney, NotFound
from panel.services import audit_log, customer_version
from panel.services.accounts import users
from panel.services.money import approval_limit, deposits, ledger

balance_group = AppGroup("balance", help="Customers' money.")


@balance_group.command("add")
@click.argument("email")
@click.argument("amount")
@click.option("--note", required=True, help="Why; the customer reads it in the statement.")
@click.option("--reference", help="The reference of the deposit that this payment belongs to.")
def add_to_balance(email: str, amount: str, note: str, reference: str | None) -> None:
    """Add money that has arrived to a customer's balance, and print the number of the transfer.

    No second operator approves it. It counts toward what operators may move for this customer in 24 hours.
    """
    with clean_errors():
        amount_nanos = money.parse_nanos(amount)
        if amount_nanos <= 0:
            raise BadMoney("The amount must be more than zero.")
    with cli_transaction():
        number = _add(email, amount_nanos=amount_nanos, note=note, reference=reference)
    click.echo(number)


def _add(email: str, *, amount_nanos: int, note: str, reference: str | None) -> int:
    customer = users.find_by_email(email)
    if customer is None:
        raise NotFound(f"There is no account with the email {email}.")
    if reference is not None and deposits.find(reference).customer_id != customer.id:
        raise ActionRefused(f"The request {reference} is another customer's.")
    now = utc_now()
    approval_limit.lock(customer.id, operator_id=None)
    added_nanos = amount_nanos
    if reference is None:
        reason = f"deposit:hand:{secrets.token_hex(8)}"
        number = ledger.deposit(customer.id, amount_nanos=amount_nanos, reason=reason, note=note, now=now)
        customer_version.bump([customer.id])
    else:
        paid = deposits.parts_of(deposits.find(reference), amount_nanos)
        added_nanos = paid.amount_nanos + paid.bonus_nanos
        number = deposits.confirm(reference, amount_nanos=amount_nanos, note=note, now=now)
    approval_limit.record(number, customer_id=customer.id, operator_id=None, amount_nanos=added_nanos, now=now)
    detail = f"{money.plain(amount_nanos)}, line {number}: {note}"
    audit_log.write("balance add", actor=getpass.getuser(), subject=f"customer {customer.id}", detail=detail, now=now)
    return number
