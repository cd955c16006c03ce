"""The door of the office: operators who have shown their second factor; to everyone else there is nothing here."""

from flask import Blueprint, abort, redirect, request
from flask.typing import ResponseReturnValue

from panel.blueprints.rendering import me

SECOND_FACTOR_PAGE = "/account/second-factor"


def office_blueprint(name: str) -> Blueprint:
    """A blueprint under /office whose every route stands behind the gate."""
    bp = Blueprint(f"office_{name}", __name__, url_prefix="/office")
    bp.before_request(keep_out_others)
    return bp


def keep_out_others() -> ResponseReturnValue | None:
    """404 to all but operators; an operator who has not shown the second factor on this device is sent to do so."""
    person = me()
    if person is None or not person.is_operator:
        abort(404)
    if person.has_second_factor:
        return None
    wanted = request.path if request.method in ("GET", "HEAD") else "/office"
    return redirect(f"{SECOND_FACTOR_PAGE}?next={wanted}", code=303)
