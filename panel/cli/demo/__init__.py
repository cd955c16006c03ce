"""`flask demo`: fills an empty database with tools, customers, an operator and 90 days of orders.

May import what other commands import.
"""

import secrets
from datetime import datetime, timedelta
from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy import select

from panel import app_context
from panel.cli.demo import history, news, office, past_money, platform, reselling, tickets
from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.db import db
from panel.domain.accounts.roles import Role
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import User
from panel.providers.base import StatusRequest
from panel.providers.simulated import Simulated
from panel.services.accounts import two_factor, users
from panel.services.catalogue import tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import ledger
from panel.services.orders import dispatch, placing, refills, sync
from panel.services.orders.placing import Placing

CUSTOMER = "customer@example.com"
OPERATOR = "operator@example.com"
BALANCE_NANOS = 100 * 10**9
PASSWORD_BYTES = 9
# How far above its minimum each example order is: enough for the count to move visibly.
TIMES_MINIMUM = 4
LEASE_SECONDS = 60
HOW_TO_PAY = (
    "# Bank transfer (demo)\n\nThis is a demonstration: nothing is paid.\n\n"
    "The operator confirms your request in the office, under Deposits.\n"
)
# Since when the customer has been here: the history begins the day after.
BEGAN_BEFORE = timedelta(days=history.DAYS + 1)


@click.command("demo")
@with_appcontext
def demo() -> None:
    """Fill an empty database with an example. Where there is an account already, change nothing."""
    if current_app.config["PANEL"].env == "production":
        raise click.ClickException("The demo is refused with PANEL_ENV=production.")
    if db.session.scalar(select(User.id).limit(1)) is not None:
        click.echo(
            "There are accounts already: the demo adds nothing. Its passwords were shown once, when it was made;"
            " a new one is set at /forgot-password, whose mail becomes a file in the instance folder."
        )
        return
    passwords = {email: secrets.token_urlsafe(PASSWORD_BYTES) for email in (CUSTOMER, OPERATOR)}
    hashes = {email: users.hash_password(password) for email, password in passwords.items()}
    secret = two_factor.new_secret()
    with cli_transaction():
        _fill(hashes, secret=secret)
    platform.audit()
    _say_how_to_pay(current_app.config["PANEL"].instance)
    click.echo("The demo is ready. These passwords are shown once and kept nowhere:")
    click.echo(f"  customer  {CUSTOMER}  {passwords[CUSTOMER]}")
    click.echo(f"  operator  {OPERATOR}  {passwords[OPERATOR]}")
    site_name = app_context.settings().site_name
    click.echo("The operator is also asked for a code. Put this key into an app, or let a command tell the code:")
    click.echo(f"  {two_factor.provisioning_uri(secret, email=OPERATOR, site_name=site_name)}")
    click.echo(f"  flask users code {OPERATOR}")


def _say_how_to_pay(instance: Path) -> None:
    """Set the payment instructions of the Add funds page, unless an operator has written some."""
    file = instance / "payment.txt"
    if not file.exists():
        file.write_text(HOW_TO_PAY, encoding="utf-8")


def _fill(hashes: dict[str, str], *, secret: str) -> None:
    """Tools, two accounts, the customer's balance, and an order of every tool: all of it or nothing."""
    now = utc_now()
    began = now - BEGAN_BEFORE
    # Before the first order: an order is never older than the terms it was placed under.
    tools.import_demo(now=began)
    customer = users.add_user(CUSTOMER, password_hash=hashes[CUSTOMER], now=began)
    operator = users.add_user(OPERATOR, password_hash=hashes[OPERATOR], role=Role.OWNER, now=began)
    _give_second_factor(operator.id, secret, now=now)
    ledger.deposit(customer.id, amount_nanos=BALANCE_NANOS, reason="deposit:demo", note="Demo balance", now=began)
    offers = tools.listed_all()
    _write_history(customer, offers, now=now)
    _begin_refill(customer.id, next(offer for offer in offers if offer.provider_service == "refill"), now=now)
    twice = reselling.add_second_provider(now=now)
    reselling.pass_on(customer.id, asked=_example(twice), offer=twice, now=now)
    for offer in offers:
        placing.place_order(customer.id, asked=_example(offer), now=now)
    reselling.add_groups(now=now)
    news.fill(now=now)
    tickets.fill(customer, operator, now=now)


def _write_history(customer: User, offers: list[ToolOffer], *, now: datetime) -> None:
    """The past of all customers, oldest first, and between it the orders that need a person."""
    orders = history.plan(history.add_people(customer, now=now), offers, now=now)
    until = now - history.SETTLED_BEFORE
    past_money.write(orders, since=now - BEGAN_BEFORE, until=until, tops_up=customer.id)
    office.fill_late(customer, offers, now=now)
    yesterday, recent = (now - timedelta(hours=hours) for hours in (office.LATE_HOURS[1], office.UNCONFIRMED_HOURS))
    past_money.write(orders, since=yesterday, until=recent)
    office.fill_recent(customer, offers, now=now)
    past_money.write(orders, since=now - timedelta(hours=office.STOPPING_HOURS), until=now)
    past_money.write_costs(now=now)
    platform.fill(now=now)


def _give_second_factor(user_id: int, secret: str, *, now: datetime) -> None:
    """Turn on two-factor authentication as of 30 seconds ago, so that the current code is still unused."""
    code = two_factor.code_at(secret, at=now - timedelta(seconds=two_factor.STEP_SECONDS))
    two_factor.enable(user_id, secret=secret, code=code, settings=current_app.config["PANEL"], now=now)


def _begin_refill(customer_id: int, offer: ToolOffer, *, now: datetime) -> None:
    """Complete the first order and start a refill of it, so that the demo shows a refill too."""
    order = placing.place_order(customer_id, asked=_example(offer), now=now)
    provider = Simulated(seed=offer.provider_name)
    [taken] = dispatch.open_attempts(offer.provider_id, most=1, lease_seconds=LEASE_SECONDS, now=now)
    dispatch.record_outcome(taken.attempt_id, provider.add(taken.order, now=now), now=now)
    ask = StatusRequest(order.id, "", offer.provider_service, order.quantity)
    sync.apply_reports([ask], {order.id: Report(Status.COMPLETED.label, 0)}, now=now)
    refills.request_refill(order.id, customer_id=customer_id, now=now)


def _example(offer: ToolOffer) -> Placing:
    """An order of this tool for its own example link."""
    quantity = str(min(offer.minimum * TIMES_MINIMUM, offer.maximum)) if offer.form.takes_quantity else ""
    fields = {rule.name: rule.example for rule in offer.form.fields}
    return Placing(offer.slug, offer.link_example, quantity, placing.new_request_id(), fields=fields)
