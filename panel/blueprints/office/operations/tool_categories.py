"""Order of the categories in the office: a button moves a category up, down or to the top."""

from flask import flash, redirect, render_template
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import PanelError
from panel.services.catalogue import category_order
from panel.services.catalogue.category_order import CategoryMove

bp = office_blueprint("tool_categories", reads=Action.LOOK, changes=Action.MANAGE_CATALOGUE)

INDEX = "/office/categories"


@bp.get("/categories")
def index() -> ResponseReturnValue:
    return _page()


@bp.post("/categories/<any(up, down, top):how>")
def move(how: str) -> ResponseReturnValue:
    try:
        with transaction():
            place = category_order.move(typed("category"), CategoryMove(how), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(error), status_of(error)
    flash(f"{typed('category')} is number {place} now.")
    return redirect(f"{INDEX}#place-{place}", code=303)


@bp.post("/categories/by-name")
def sort_by_name() -> ResponseReturnValue:
    try:
        with transaction():
            category_order.sort_by_name(actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(error), status_of(error)
    flash("Categories are in the order of their names.")
    return redirect(INDEX, code=303)


def _page(error: PanelError | None = None) -> str:
    return render_template("office/tools/categories.html", rows=category_order.listed(), errors=by_field(error))
