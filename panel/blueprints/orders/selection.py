"""Selected orders of the list: order again, request refills, cancel, export as CSV.

An action that changes orders has a check page first, which says what will happen to each order.
"""

from flask import Blueprint, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from panel.blueprints.orders import history, history_region
from panel.blueprints.shared.csv_files import csv_file
from panel.blueprints.shared.forms import whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import PanelError
from panel.domain.lists.list_filters import MAX_ID
from panel.services.orders import history as order_history
from panel.services.orders import placing, selection
from panel.services.orders.selection import BulkAction

bp = Blueprint("order_selection", __name__)

CSV = "csv"
_DONE = {BulkAction.REFILL: "A refill is requested", BulkAction.CANCEL: "Cancellation is requested, or done,"}


@bp.post("/orders/selection")
@login_required
def apply_action() -> ResponseReturnValue:
    """The check page of a bulk action, with `step=do` the action itself, or the CSV of the selected orders."""
    order_ids = _selected()
    if not order_ids:
        flash("Select at least one order first.")
        return redirect(history_region.PAGE, code=303)
    given = request.form.get("action", "")
    if given == CSV:
        return _csv(order_ids)
    try:
        action = BulkAction(given)
    except ValueError:
        flash("Choose what to do with the selected orders.")
        return redirect(history_region.PAGE, code=303)
    if request.form.get("step") == "do" and action is not BulkAction.AGAIN:
        return _do(order_ids, action)
    return _check(order_ids, action)


def _selected() -> list[int]:
    """The selected orders, newest first."""
    numbers = {whole_number(text) for text in request.form.getlist("order")[: selection.MAX_ORDERS]}
    return sorted((number for number in numbers if number and number <= MAX_ID), reverse=True)


def _check(order_ids: list[int], action: BulkAction) -> ResponseReturnValue:
    planned = selection.plan(order_ids, action, customer_id=current_user.id, now=utc_now())
    possible = [each for each in planned if not each.refusal]
    return render_template(
        "orders/selection.html",
        action=action,
        possible=possible,
        refused=[each for each in planned if each.refusal],
        returned_nanos=sum(each.own.held_nanos for each in possible if each.ends_at_once),
        written="\n".join(each.line for each in possible),
        request_id=placing.new_request_id(),
    )


def _do(order_ids: list[int], action: BulkAction) -> ResponseReturnValue:
    reasons = {order_id: _reason_why_not(order_id, action) for order_id in order_ids}
    done = [order_id for order_id, reason in reasons.items() if not reason]
    if done:
        flash(f"{_DONE[action]} for {_orders(done)}.")
    for order_id, reason in reasons.items():
        if reason:
            flash(f"Nothing was changed for order {order_id}. {reason}")
    return redirect(history_region.PAGE, code=303)


def _reason_why_not(order_id: int, action: BulkAction) -> str:
    """Run the action in its own transaction. Returns the error message, empty on success."""
    try:
        with transaction():
            selection.do(order_id, action, customer_id=current_user.id, now=utc_now())
    except PanelError as error:
        return error.message
    return ""


def _orders(order_ids: list[int]) -> str:
    numbers = ", ".join(str(order_id) for order_id in order_ids)
    return f"order {numbers}" if len(order_ids) == 1 else f"{len(order_ids)} orders: {numbers}"


def _csv(order_ids: list[int]) -> ResponseReturnValue:
    rows = order_history.written_in_full(current_user.id, order_ids=order_ids)
    return csv_file("orders.csv", head=history.CSV_HEAD, rows=history.csv_rows(rows))
