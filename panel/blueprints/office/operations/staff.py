"""Staff in the office, for owners: who has which role, and invitations."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import ALLOWED, APPROVERS, STAFF_ROLES, Action
from panel.domain.errors import PanelError
from panel.services.accounts import invitations
from panel.services.office import account_access, staff

bp = office_blueprint("staff", reads=Action.MANAGE_STAFF, changes=Action.MANAGE_STAFF)

PAGE = "/office/staff"


@bp.get("/staff")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/staff/invitations")
def invite() -> ResponseReturnValue:
    try:
        with transaction():
            made = staff.invite(
                typed("email"),
                typed("role"),
                operator_id=layout.operator_id(),
                actor=layout.actor(),
                now=utc_now(),
            )
            email = made.email
    except PanelError as error:
        return _page(error), status_of(error)
    flash(f"The invitation to {email} is on its way. It works for {invitations.LASTS.days} days.")
    return redirect(PAGE, code=303)


@bp.post("/staff/invitations/<int:invitation_id>/withdrawal")
def withdraw(invitation_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            email = staff.withdraw(invitation_id, actor=layout.actor(), now=utc_now()).email
    except PanelError as error:
        return _page(error), status_of(error)
    flash(f"The invitation to {email} is withdrawn.")
    return redirect(PAGE, code=303)


def _page(error: PanelError | None = None) -> str:
    return render_template(
        "office/staff/index.html",
        members=staff.members(),
        invitations=invitations.open_ones(now=utc_now()),
        roles=[(role.value, role.label) for role in STAFF_ROLES],
        labels={role.value: role.label for role in STAFF_ROLES},
        needs_approval=[role.label.lower() for role in APPROVERS],
        approvers=account_access.active_operators(without=(layout.operator_id(),)),
        typed={name: request.form.get(name, "") for name in ("email", "role")},
        errors=by_field(error),
        my_id=layout.operator_id(),
        allowed=ALLOWED,
    )
