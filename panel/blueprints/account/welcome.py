"""Welcome page after sign-up: the three first steps, and which of them the customer has done."""

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared.auth import login_required
from panel.services.accounts import first_steps

bp = Blueprint("welcome", __name__)

PATH = "/welcome"


@bp.get(PATH)
@login_required
def show() -> ResponseReturnValue:
    return render_template("account/welcome.html", steps=first_steps.find(current_user.id), email=current_user.email)
