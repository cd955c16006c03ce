"""Legal texts and payment instructions in the office: written, previewed, saved, and given back to the file."""

from flask import abort, current_app, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared import help_texts
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, PanelError
from panel.payments import manual
from panel.services.help import own_texts
from panel.services.help.facts import facts_for_prose
from panel.services.help.markdown import Prose
from panel.services.stored_settings import texts
from panel.services.stored_settings.texts import EditableText
from panel.settings import ROOT

bp = office_blueprint("setting_texts", reads=Action.MANAGE_SETTINGS, changes=Action.MANAGE_SETTINGS)


@bp.get("/settings/texts/<name>")
def show(name: str) -> ResponseReturnValue:
    return _page(_known_or_404(name))


@bp.post("/settings/texts/<name>")
def save(name: str) -> ResponseReturnValue:
    """Save the text, or show it first with `preview`."""
    known = _known_or_404(name)
    try:
        text = texts.normalized(request.form.get("text", ""))
        prose = _checked(known, text)
        if "preview" in request.form:
            return _page(known, preview=prose if known.is_guide else manual.paragraphs(text))
        with transaction():
            is_new = texts.save(known, text, seen=typed("seen"), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(known, error), status_of(error)
    flash(f"Saved: {known.label}." if is_new else "Nothing was changed.")
    return redirect("/office/settings", code=303)


@bp.post("/settings/texts/<name>/default")
def restore_default(name: str) -> ResponseReturnValue:
    known = _known_or_404(name)
    try:
        with transaction():
            texts.restore_default(known, actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(known, error), status_of(error)
    flash(f"{known.label}: the default text is back. Your text is in the audit log.")
    return redirect("/office/settings", code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page(_known_or_404((request.view_args or {})["name"]), error), error.http_status


def _known_or_404(word: str) -> EditableText:
    return EditableText(word) if word in list(EditableText) else abort(404)


def _checked(name: EditableText, text: str) -> Prose | None:
    """The rendered text of a guide. Raises BadInput."""
    if not name.is_guide:
        return None
    return own_texts.check(
        name,
        text,
        content=help_texts.texts(),
        facts=facts_for_prose(app_context.settings()),
        leads_somewhere=help_texts.leads_somewhere(current_app),
    )


def _page(
    name: EditableText, error: PanelError | None = None, *, preview: Prose | list[list[str]] | None = None
) -> str:
    own = texts.find(name)
    return render_template(
        "office/settings/text.html",
        name=name,
        own=own,
        text=request.form.get("text") or (own.text if own else _default(name)),
        preview=preview,
        method_mark=manual.METHOD,
        facts=facts_for_prose(app_context.settings()) if name.is_guide else {},
        seen=texts.form_version(name),
        max_length=texts.MAX_LENGTH,
        errors=by_field(error),
    )


def _default(name: EditableText) -> str:
    if name.is_guide:
        return own_texts.default_text(name, folder=ROOT / "content")
    return manual.text_of_file(app_context.settings().instance)
