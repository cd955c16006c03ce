"""Appearance in the office: the logo with its preview, and the accent color of both color schemes."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, PanelError
from panel.services.stored_settings import accent, logo
from panel.services.stored_settings.accent import AccentColors, ColorScheme
from panel.services.stored_settings.logo import Logo
from panel.services.uploaded_images import Upload

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


@bp.post("/settings/appearance/logo/preview")
def preview_logo() -> ResponseReturnValue:
    """Show the chosen file as it would be in the header. Nothing is stored: the form carries it to the next step."""
    file = request.files.get(logo.FIELD)
    try:
        if file is None or not file.filename:
            raise BadInput("Choose a file first.", field=logo.FIELD)
        found = logo.prepare(Upload(file.filename, file.stream.read(logo.RULES.max_bytes + 1)))
    except PanelError as error:
        return _page(error), status_of(error)
    return _page(preview=found)


@bp.post("/settings/appearance/logo")
def save_logo() -> ResponseReturnValue:
    try:
        wanted = logo.previewed(typed("content"))
        with transaction():
            is_new = logo.save(wanted, seen=typed("seen_logo"), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(error), status_of(error)
    flash("Saved: Logo." if is_new else "Nothing was changed.")
    return redirect("/office/settings/appearance", code=303)


@bp.post("/settings/appearance/logo/removal")
def remove_logo() -> ResponseReturnValue:
    try:
        with transaction():
            is_gone = logo.remove(seen=typed("seen_logo"), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(error), status_of(error)
    flash("The logo is removed. The header shows the site’s name." if is_gone else "Nothing was changed.")
    return redirect("/office/settings/appearance", code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page(error), error.http_status


def _page(error: PanelError | None = None, *, preview: Logo | None = None) -> str:
    present, present_logo = accent.find(), logo.find()
    is_accent = request.endpoint == "office_appearance.change"
    fields = []
    for scheme in ColorScheme:
        saved = getattr(present, scheme)
        value = request.form.get(scheme, "") if error is not None and is_accent else saved
        fields.append((scheme, value, accent.default(scheme), saved or accent.default(scheme)))
    return render_template(
        "office/settings/appearance.html",
        fields=fields,
        seen=present.stored,
        errors=by_field(error),
        logo=present_logo,
        preview=preview,
        seen_logo=logo.form_version(present_logo),
    )
