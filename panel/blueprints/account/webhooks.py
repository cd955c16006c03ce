"""Webhook endpoints of a customer: add, rotate the secret, remove, test, and the delivery log with "Send again"."""

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import auth
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.errors import BadMoney, ExpiredForm, PanelError
from panel.services.api import webhook_deliveries, webhook_endpoints, webhook_guide

bp = Blueprint("webhooks", __name__, url_prefix="/account/webhooks")

LINES = 100
NOTICES = {
    "removed": "The endpoint is removed. We no longer send webhooks to it.",
    "balance": "The low balance notification is saved.",
    "test": "The test is on its way. It’s the first in the list of deliveries.",
    "again": "The delivery is on its way again. The list shows the result.",
}


@bp.get("")
@login_required
def index() -> ResponseReturnValue:
    return _index_page()


@bp.post("")
@login_required
def add() -> ResponseReturnValue:
    try:
        nanos = _bound(request.form.get("balance_low", ""))
        with transaction():
            auth.lock_own_account()
            shown = webhook_endpoints.add(
                current_user.id,
                url=request.form.get("url", ""),
                balance_low_nanos=nanos,
                settings=current_app.config["PANEL"],
                now=utc_now(),
            )
    except PanelError as error:
        return _index_page(error), error.http_status
    return render_template("webhooks/secret.html", endpoint=shown.endpoint, secret=shown.secret, is_new=True), 201


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed values and the error; logged-out users log in first."""
    return _index_page(error), error.http_status


@login_required
def threshold_again(error: ExpiredForm) -> ResponseReturnValue:
    """The endpoint with the typed threshold and the error."""
    return _endpoint_page((request.view_args or {})["endpoint_id"], error), error.http_status


@bp.get("/<int:endpoint_id>")
@login_required
def show(endpoint_id: int) -> ResponseReturnValue:
    return _endpoint_page(endpoint_id)


@bp.post("/<int:endpoint_id>/secret")
@login_required
def rotate(endpoint_id: int) -> ResponseReturnValue:
    with transaction():
        auth.lock_own_account()
        shown = webhook_endpoints.rotate(
            endpoint_id,
            user_id=current_user.id,
            fingerprint=request.form.get("fingerprint", ""),
            settings=current_app.config["PANEL"],
            now=utc_now(),
        )
    return render_template("webhooks/secret.html", endpoint=shown.endpoint, secret=shown.secret, is_new=False)


@bp.post("/<int:endpoint_id>/balance-low")
@login_required
def set_balance_low(endpoint_id: int) -> ResponseReturnValue:
    webhook_endpoints.find(endpoint_id, user_id=current_user.id)
    try:
        nanos = _bound(request.form.get("balance_low", ""))
    except PanelError as error:
        return _endpoint_page(endpoint_id, error), error.http_status
    with transaction():
        webhook_endpoints.set_balance_low(endpoint_id, user_id=current_user.id, nanos=nanos)
    return _back(endpoint_id, "balance")


@bp.post("/<int:endpoint_id>/tests")
@login_required
def send_test(endpoint_id: int) -> ResponseReturnValue:
    with transaction():
        webhook_endpoints.send_test(endpoint_id, user_id=current_user.id, now=utc_now())
    return _back(endpoint_id, "test")


@bp.post("/<int:endpoint_id>/deliveries/<int:delivery_id>/again")
@login_required
def send_again(endpoint_id: int, delivery_id: int) -> ResponseReturnValue:
    with transaction():
        webhook_endpoints.send_again(delivery_id, endpoint_id=endpoint_id, user_id=current_user.id, now=utc_now())
    return _back(endpoint_id, "again")


@bp.post("/<int:endpoint_id>/removal")
@login_required
def remove(endpoint_id: int) -> ResponseReturnValue:
    with transaction():
        webhook_endpoints.remove(endpoint_id, user_id=current_user.id, now=utc_now())
    return redirect(url_for("webhooks.index", done="removed"), code=303)


def _back(endpoint_id: int, done: str) -> ResponseReturnValue:
    return redirect(url_for("webhooks.show", endpoint_id=endpoint_id, done=done), code=303)


def _bound(text: str) -> int | None:
    """The typed threshold in nanos; None if empty or 0. Raises BadMoney for the field."""
    if not text.strip():
        return None
    try:
        return money.parse_nanos(text) or None
    except BadMoney as error:
        raise BadMoney(error.message, field="balance_low") from error


def _index_page(error: PanelError | None = None) -> str:
    return render_template(
        "webhooks/index.html",
        summaries=webhook_endpoints.listed(current_user.id),
        most=webhook_endpoints.MOST,
        url=request.form.get("url", ""),
        balance_low=request.form.get("balance_low", ""),
        errors=by_field(error),
        done=NOTICES.get(request.args.get("done", "")),
        guide=webhook_guide.guide(),
    )


def _endpoint_page(endpoint_id: int, error: PanelError | None = None) -> str:
    endpoint = webhook_endpoints.find(endpoint_id, user_id=current_user.id)
    typed = money.plain(endpoint.balance_low_nanos) if endpoint.balance_low_nanos else ""
    until = endpoint.old_secret_until
    return render_template(
        "webhooks/show.html",
        endpoint=endpoint,
        fingerprint=webhook_endpoints.secret_fingerprint(endpoint),
        old_signs_until=until if until is not None and utc_now() < until else None,
        balance_low=request.form.get("balance_low", typed),
        lines=webhook_deliveries.recent_deliveries(endpoint_id, count=LINES),
        newest=LINES,
        errors=by_field(error),
        done=NOTICES.get(request.args.get("done", "")),
    )
