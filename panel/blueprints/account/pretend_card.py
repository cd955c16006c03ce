"""Pretend card: the payment page of the gateway for demonstrations, where a customer pays or declines."""

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared.auth import login_required
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import NotFound
from panel.domain.payment import PaymentMethod
from panel.payments.pretend_card import SIGNATURE_HEADER, PretendCard
from panel.services.money import own_deposits
from panel.services.money.own_deposits import OwnDeposit
from panel.services.payments import events, gateways

bp = Blueprint("pretend_card", __name__, url_prefix="/balance")


@bp.get("/deposits/<reference>/pretend-card")
@login_required
def show(reference: str) -> ResponseReturnValue:
    deposit = _open_or_404(reference)
    return render_template("balance/pretend_card.html", deposit=deposit)


@bp.post("/deposits/<reference>/pretend-card")
@login_required
def press(reference: str) -> ResponseReturnValue:
    """Pay or decline: the gateway's event is received as any other, and a job works on it."""
    deposit, gateway = _open_or_404(reference), gateways.available()[PaymentMethod.PRETEND_CARD]
    assert isinstance(gateway, PretendCard)
    body, signature = gateway.press(
        deposit.reference,
        is_paid=request.form.get("outcome") == "paid",
        amount_nanos=deposit.asked_nanos,
        currency=current_app.config["PANEL"].currency,
    )
    event = gateway.read_event(body, {SIGNATURE_HEADER: signature})
    with transaction():
        events.receive(PaymentMethod.PRETEND_CARD, event, raw=body.decode(), now=utc_now())
    return redirect(url_for("deposit.show", reference=deposit.reference), code=303)


def _open_or_404(reference: str) -> OwnDeposit:
    try:
        deposit = own_deposits.find_own(reference, customer_id=current_user.id)
    except NotFound:
        abort(404)
    if deposit.method not in gateways.available() or deposit.method is not PaymentMethod.PRETEND_CARD:
        abort(404)
    if not deposit.is_waiting:
        abort(redirect(url_for("deposit.show", reference=deposit.reference), code=303))
    return deposit
