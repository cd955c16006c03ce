"""Invitation to the office: the mailed link, where the invited person chooses a password."""

from flask import Blueprint, Response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.blueprints.shared import known_devices
from panel.blueprints.shared.forms import by_field, token_page
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Role
from panel.domain.errors import LinkIsSpent, PanelError
from panel.services.accounts import hashing_turns, invitations, users
from panel.services.office import staff
from panel.services.office.staff import Joined

bp = Blueprint("invitation", __name__)


@bp.get("/invitations/<token>")
def show(token: str) -> ResponseReturnValue:
    """The form. Opening the page changes nothing: mail scanners open links too."""
    return _form(token)


@bp.post("/invitations/<token>")
def join(token: str) -> ResponseReturnValue:
    try:
        joined = _join(token, request.form.get("password", ""))
    except PanelError as error:
        return _form(token, error)
    known_devices.remember(joined.user_id)
    return redirect(f"/invitations/{'approval' if joined.waits else 'done'}", code=303)


@bp.get("/invitations/done")
def done() -> ResponseReturnValue:
    return render_template("account/invitation/done.html", waits=False)


@bp.get("/invitations/approval")
def approval() -> ResponseReturnValue:
    """After joining with a role that a second person must approve first."""
    return render_template("account/invitation/done.html", waits=True)


@hashing_turns.turn()
def _join(token: str, password: str) -> Joined:
    found = invitations.find(token, now=utc_now())
    if found is None:
        raise LinkIsSpent(invitations.SPENT)
    users.check_new_password(password, email=found.email, site_name=app_context.settings().site_name)
    password_hash = users.hash_password(password)
    with transaction():
        return staff.join(token, password_hash=password_hash, now=utc_now())


def _form(token: str, error: PanelError | None = None) -> Response:
    found = invitations.find(token, now=utc_now())
    if found is None:
        return token_page("account/invitation/spent.html", error=LinkIsSpent(invitations.SPENT))
    return token_page(
        "account/invitation/form.html",
        error=error,
        email=found.email,
        role=Role(found.role),
        errors=by_field(error),
        shortest=users.MIN_PASSWORD_LENGTH,
        longest=users.MAX_PASSWORD_LENGTH,
    )
