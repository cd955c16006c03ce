"""Approvals: proposals that need a second operator, and the form that decides them."""

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import may, office_blueprint
from panel.blueprints.office.forms import limit_nanos, operator, seen_nanos, status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import PanelError
from panel.services.office import account_access, approval_list, second_approval
from panel.services.office.approval_list import ProposalDetail
from panel.services.office.balance_changes import BalanceEffect

bp = office_blueprint("approvals", reads=Action.LOOK, changes=Action.MOVE_MONEY)


@bp.get("/approvals")
def index() -> ResponseReturnValue:
    now = utc_now()
    return render_template(
        "office/approvals/index.html",
        waiting=approval_list.waiting(now=now),
        decided=approval_list.decided(now=now),
        limit_nanos=limit_nanos(),
        days=second_approval.LASTS.days,
        operators=account_access.active_operators(),
    )


@bp.get("/approvals/<int:proposal_id>")
def show(proposal_id: int) -> ResponseReturnValue:
    return _page(proposal_id)


@bp.post("/approvals/<int:proposal_id>/confirmation")
def confirm(proposal_id: int) -> ResponseReturnValue:
    person = operator()
    try:
        with transaction():
            number = second_approval.confirm(
                proposal_id, operator_id=person.id, actor=person.email, balance_nanos=seen_nanos(), now=utc_now()
            )
    except PanelError as error:
        return _page(proposal_id, error), status_of(error)
    line = "" if number is None else f": line {number} of the ledger"
    flash(f"Proposal {proposal_id} is approved{line}.")
    return redirect(url_for("office_approvals.show", proposal_id=proposal_id), code=303)


@bp.post("/approvals/<int:proposal_id>/refusal")
def refuse(proposal_id: int) -> ResponseReturnValue:
    person = operator()
    try:
        with transaction():
            second_approval.refuse(
                proposal_id, reason=typed("reason"), operator_id=person.id, actor=person.email, now=utc_now()
            )
    except PanelError as error:
        return _page(proposal_id, error), status_of(error)
    flash(f"Proposal {proposal_id} is ended. Nothing was changed.")
    return redirect(url_for("office_approvals.show", proposal_id=proposal_id), code=303)


def _page(proposal_id: int, error: PanelError | None = None) -> str:
    shown = approval_list.find(proposal_id, now=utc_now())
    if shown is None:
        abort(404)
    effect, why_not = _effect(shown)
    return render_template(
        "office/approvals/show.html",
        shown=shown,
        effect=effect,
        why_not=why_not,
        operators=account_access.active_operators(),
        may_decide=may(Action.MOVE_MONEY),
        is_own=shown.row.proposed_by == operator().id,
        errors=by_field(error),
        reason=typed("reason"),
    )


def _effect(shown: ProposalDetail) -> tuple[BalanceEffect | None, str]:
    """The effect of approving now, or the reason why this operator can't."""
    person = operator()
    if not shown.is_open:
        return None, ""
    try:
        effect = second_approval.effect_of(shown.row, operator_id=person.id, actor=person.email, now=utc_now())
    except PanelError as error:
        return None, error.message
    is_own = shown.row.proposed_by == person.id
    return effect, "You proposed it. Another operator must approve it." if is_own else ""
