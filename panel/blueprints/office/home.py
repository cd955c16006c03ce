"""The front page of the office: what waits, by what breaks a promise first."""

from flask import render_template
from flask.typing import ResponseReturnValue

from panel.blueprints.office.gate import office_blueprint

bp = office_blueprint("home")


@bp.get("")
def index() -> ResponseReturnValue:
    return render_template("office/index.html")
