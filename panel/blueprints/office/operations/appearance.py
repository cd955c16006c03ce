"""Appearance in the office: the accent color of both color schemes."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, PanelError
from panel.services.stored_settings import accent
from panel.services.stored_settings.accent import AccentColors, ColorScheme

bp = office_blueprint("appearance", reads=Action.MANAGE_SETTINGS, changes=Action.MANAGE_SETTINGS)


@bp.get("/settings/appearance")
def show() -> ResponseReturnValue:
    return _page()


@bp.post("/settings/appearance")
def change() -> ResponseReturnValue:
    wanted = AccentColors(typed("light"), typed("dark"))
    try:
        with transaction():
            is_new = accent.save(wanted, seen=typed("seen"), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(error), status_of(error)
    flash("Saved: Accent color." if is_new else "Nothing was changed.")
    return redirect("/office/settings/appearance", code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page(error), error.http_status


def _page(error: PanelError | None = None) -> str:
    present = accent.find()
    fields = []
    for scheme in ColorScheme:
        saved = getattr(present, scheme)
        value = request.form.get(scheme, "") if error is not None else saved
        fields.append((scheme, value, accent.default(scheme), saved or accent.default(scheme)))
    return render_template(
        "office/settings/appearance.html", fields=fields, seen=present.stored, errors=by_field(error)
    )
