"""`flask users`: add, disable and change accounts."""

import getpass
import secrets
import sys

import click
from flask import current_app
from flask.cli import AppGroup

from panel import app_context
from panel.cli.errors import clean_errors, cli_transaction
from panel.clock import utc_now
from panel.domain.accounts.key_scope import KeyScope
from panel.domain.accounts.roles import STAFF_ROLES, Role
from panel.domain.errors import BadInput, NotFound
from panel.models import ProposalKind
from panel.services.accounts import email_confirmation, two_factor, users
from panel.services.api import keys as api_keys
from panel.services.api import spend_caps
from panel.services.api.keys import NewKey
from panel.services.office import second_approval
from panel.services.office.account_access import AccessChange

PASSWORD_BYTES = 12
STAFF = [role.value for role in STAFF_ROLES]

users_group = AppGroup("users", help="People with an account.")


@users_group.command("add")
@click.argument("email")
@click.option("--operator", is_flag=True, help="May use the office: as the owner if it has none yet, else as operator.")
@click.option("--role", type=click.Choice(STAFF), help="May use the office, with this role.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add_user(email: str, operator: bool, role: str | None, password_stdin: bool) -> None:
    """Add an account and print its id. Without a password, one is generated and printed to standard error."""
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else secrets.token_urlsafe(PASSWORD_BYTES)
    with clean_errors():
        email = users.normalize_email(email)
        users.check_new_password(password, email=email, site_name=app_context.settings().site_name)
    password_hash = users.hash_password(password)
    with cli_transaction():
        first = Role.OPERATOR if users.has_owner() else Role.OWNER
        given = Role(role) if role else first if operator else Role.CUSTOMER
        number = users.add_user(email, password_hash=password_hash, role=given, now=utc_now()).id
    if not password_stdin:
        click.echo(f"The password of {email} is {password}", err=True)
    click.echo(number)


@users_group.command("api-key")
@click.argument("email")
@click.option("--name", default="Command line", show_default=True, help="How the person's list of keys calls it.")
@click.option("--network", "networks", multiple=True, help="A network the key may be used from; else from anywhere.")
@click.option("--read-only", is_flag=True, help="The key may not place, cancel or refill orders.")
@click.option("--test", "is_test", is_flag=True, help="Its orders are test orders: on the simulator, for test money.")
@click.option("--daily-cap", default="", help="The most that its orders of one day (UTC) may cost, such as 25.00.")
def make_api_key(
    email: str, *, name: str, networks: tuple[str, ...], read_only: bool, is_test: bool, daily_cap: str
) -> None:
    """Create an API key for an account and print it. It is shown only once."""
    with cli_transaction():
        user = users.find_by_email(email)
        if user is None:
            raise NotFound(f"There is no account with the email {email}.")
        if read_only and is_test:
            raise BadInput("A key is either read-only or a test key: leave one of the two options out.")
        scope = KeyScope.READ if read_only else KeyScope.TEST if is_test else KeyScope.ORDER
        asked = NewKey(name, " ".join(networks), scope, spend_caps.parse(daily_cap))
        key = api_keys.make_for(user.id, asked=asked, now=utc_now()).text
        is_confirmed = user.email_confirmed_at is not None
    if not is_confirmed:
        click.echo(
            f"The email {email} is not confirmed: until it is, the key reads but places no orders. "
            f"To confirm it: flask users confirm {email}",
            err=True,
        )
    click.echo(key)


@users_group.command("confirm")
@click.argument("email")
@click.option("--reason", default="", help="How you know whose address it is; the audit log keeps it.")
def confirm_email(email: str, reason: str) -> None:
    """Confirm the email of an account for its owner, as if its link had been opened. Written to the audit log."""
    with cli_transaction():
        email_confirmation.confirm_by_hand(email, detail=reason.strip(), actor=getpass.getuser(), now=utc_now())
    click.echo(f"The email {email} is confirmed.", err=True)


@users_group.command("disable")
@click.argument("email")
@click.option("--reason", required=True, help="Why; the person reads it at log-in, and the audit log keeps it.")
def disable(email: str, reason: str) -> None:
    """Disable an account, also an operator's: its devices are logged out, and it can't log in."""
    _change_access(email, ProposalKind.DISABLE, reason=reason)
    click.echo(f"{email} is disabled.", err=True)


@users_group.command("enable")
@click.argument("email")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def enable(email: str, reason: str) -> None:
    """Enable a disabled account, also an operator's."""
    _change_access(email, ProposalKind.ENABLE, reason=reason)
    click.echo(f"{email} is enabled.", err=True)


@users_group.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice([*STAFF, Role.CUSTOMER.value]))
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def change_role(email: str, role: str, reason: str) -> None:
    """Give an account a role in the office, or make it a customer's. Its devices are logged out."""
    kind = ProposalKind.GIVE_ROLE if Role(role).is_staff else ProposalKind.MAKE_CUSTOMER
    _change_access(email, kind, reason=reason, role=Role(role))
    click.echo(f"The role of {email} is {role} now.", err=True)


def _change_access(email: str, kind: ProposalKind, *, reason: str, role: Role = Role.CUSTOMER) -> None:
    """The server's command line needs no second operator."""
    with cli_transaction():
        user_id = users.id_by_email(email)
        if user_id is None:
            raise NotFound(f"There is no account with the email {email}.")
        access = AccessChange(kind, user_id, reason, None, getpass.getuser(), role)
        second_approval.change_access(access, now=utc_now())


@users_group.command("second-factor-reset")
@click.argument("email")
@click.option("--reason", required=True, help="Why, and how you know who asked; the audit log keeps it.")
def reset_second_factor(email: str, reason: str) -> None:
    """Turn off two-factor authentication for an account whose owner has lost the device.

    All its devices are logged out. A customer then logs in with the password alone; an operator sets up a new second
    factor before the office opens. Verify who is asking: afterwards the password alone is enough.
    """
    with cli_transaction():
        two_factor.reset(email, reason=reason, actor=getpass.getuser(), now=utc_now())
    click.echo(f"{email} has no second factor now, and is logged out everywhere.", err=True)


@users_group.command("code")
@click.argument("email")
def show_code(email: str) -> None:
    """Print a two-factor code of an account, for development. Refused with PANEL_ENV=production."""
    settings = current_app.config["PANEL"]
    if settings.env == "production":
        raise click.ClickException("Codes are for their owners alone: this is refused with PANEL_ENV=production.")
    with clean_errors():
        code = two_factor.next_code(email, settings=settings, now=utc_now())
    click.echo(code)
