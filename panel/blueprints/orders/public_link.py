"""Public link of an order, for its customer: make it, choose what it shows, revoke it."""

from flask import Blueprint, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from panel.clock import utc_now
from panel.db import transaction
from panel.services import public_links

bp = Blueprint("public_link", __name__, url_prefix="/orders/<int:order_id>/public-link")


@bp.post("")
@login_required
def share(order_id: int) -> ResponseReturnValue:
    with transaction():
        public_links.share(
            order_id,
            customer_id=current_user.id,
            shows_money="shows_money" in request.form,
            settings=current_app.config["PANEL"],
            now=utc_now(),
        )
    return _back(order_id)


@bp.post("/revocation")
@login_required
def revoke(order_id: int) -> ResponseReturnValue:
    with transaction():
        public_links.revoke(order_id, customer_id=current_user.id)
    flash("The public link is revoked. Whoever opens it now no longer sees the order.")
    return _back(order_id)


def _back(order_id: int) -> ResponseReturnValue:
    return redirect(url_for("order.show", order_id=order_id, _anchor="public-link"), code=303)
