"""Redeem a voucher: the form, and the amount on the balance."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel import app_context
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.user_agent import network_of
from panel.domain.errors import ExpiredForm, PanelError, TooManyTries
from panel.services.accounts import throttles
from panel.services.orders import waiting_order
from panel.services.payments import vouchers

bp = Blueprint("voucher", __name__, url_prefix="/balance")


@bp.get("/voucher")
@login_required
def show() -> ResponseReturnValue:
    return _page()


@bp.post("/voucher")
@login_required
def redeem() -> ResponseReturnValue:
    """Add the voucher's amount. The try is counted first, in a transaction of its own: a wrong code stays counted."""
    try:
        with transaction():
            tries = throttles.count_voucher(current_user.id, network=network_of(request.remote_addr), now=utc_now())
        with transaction():
            code = request.form.get("code", "")
            amount_nanos = vouchers.redeem(code, customer_id=current_user.id, now=utc_now())
            throttles.forget(tries)
    except TooManyTries as error:
        return _page(error), 429, {"Retry-After": str(error.retry_after_seconds)}
    except PanelError as error:
        return _page(error), 422
    amount = app_context.money_text(amount_nanos)
    flash(f"{amount} was added to your balance.")
    target = "voucher.show" if _waiting_order() else "balance.show"
    return redirect(url_for(target, next=_next() or None), code=303)


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the error; the code is typed again."""
    return _page(error), error.http_status


def _page(error: PanelError | None = None) -> str:
    return render_template(
        "balance/voucher.html",
        code=request.form.get("code", ""),
        errors=by_field(error),
        waiting=_waiting_order(),
        next=_next(),
    )


def _next() -> str:
    return request.values.get("next", "")


def _waiting_order() -> waiting_order.WaitingQuote | None:
    return waiting_order.find(_next(), customer_id=current_user.id, now=utc_now())
