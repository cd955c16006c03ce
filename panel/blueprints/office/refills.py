"""Refill and cancellation queues in the office, with the forms that start, end and answer them."""

from collections.abc import Callable

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, PanelError
from panel.domain.refill import RefillState
from panel.models import CancellationState
from panel.services.orders import cancellations, refill_endings

bp = office_blueprint("refills", reads=Action.LOOK, changes=Action.HANDLE_REFILLS)

PAGE = "/office/refills"
ENDS = {state.value: state for state in RefillState if not state.is_open}
ANSWERS = {state.value: state for state in CancellationState if state is not CancellationState.ASKED}


@bp.get("/refills")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/refills/<int:refill_id>/beginning")
def begin(refill_id: int) -> ResponseReturnValue:
    return _do(
        lambda: refill_endings.begin_by_operator(refill_id, actor=layout.actor(), now=utc_now()),
        f"Refill {refill_id} is running.",
    )


@bp.post("/refills/<int:refill_id>/end")
def end(refill_id: int) -> ResponseReturnValue:
    state = ENDS.get(request.form.get("state", ""))

    def save() -> None:
        if state is None:
            raise BadInput("Choose how the refill ended.", field="state")
        reason = request.form.get("reason", "")
        refill_endings.end_by_operator(refill_id, state, reason=reason, actor=layout.actor(), now=utc_now())

    return _do(save, f"Refill {refill_id} is {state}. Its order is Completed again; no money moved.")


@bp.post("/cancellations/<int:cancellation_id>/answer")
def answer(cancellation_id: int) -> ResponseReturnValue:
    state = ANSWERS.get(request.form.get("state", ""))

    def save() -> None:
        if state is None:
            raise BadInput("Choose an answer.", field="state")
        reason = request.form.get("reason", "")
        cancellations.decide_by_operator(cancellation_id, state, reason=reason, actor=layout.actor(), now=utc_now())

    return _do(save, f"The request to stop is {state}. Money moves when the order ends.")


def _do(save: Callable[[], None], message: str) -> ResponseReturnValue:
    """Run the action and redirect, or show the queue with the error."""
    try:
        with transaction():
            save()
    except PanelError as error:
        return _page(error), error.http_status
    flash(message)
    return redirect(layout.back(PAGE), code=303)


def _page(error: PanelError | None = None) -> str:
    return render_template(
        "office/refills.html",
        refills=refill_endings.open_refills(),
        stops=cancellations.open_cancellations(),
        errors=by_field(error),
    )
