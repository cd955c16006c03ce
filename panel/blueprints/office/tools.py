"""Tools in the office: list, editor with old and new values side by side, hide and show."""

from datetime import datetime

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import moment, operator, status_of, typed
from panel.blueprints.office.operations import tool_bulk
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, PanelError, StaleForm
from panel.domain.forms import order_types, own_fields
from panel.domain.forms.order_form import QuantityRule
from panel.models import ScheduledTerms
from panel.services.catalogue import routes, scheduled_terms, terms_history, tool_settings
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.office import tool_editor
from panel.services.office.tool_editing import tool_schedule
from panel.services.office.tool_editor import BadTool
from panel.services.providers import registry as provider_registry

bp = office_blueprint("tools", reads=Action.LOOK, changes=Action.MANAGE_CATALOGUE)


@bp.get("/tools")
def index() -> ResponseReturnValue:
    return tool_bulk.list_page()


@bp.get("/tools/new", action=Action.MANAGE_CATALOGUE)
def new() -> ResponseReturnValue:
    return _new_page("", tool_editor.blank())


@bp.post("/tools/new/check")
def check_new() -> ResponseReturnValue:
    """Check page of a new tool, before it is created."""
    slug, fields = typed("slug"), _fields()
    try:
        draft = tool_editor.check_new(slug, fields)
    except BadTool as error:
        return _new_page(slug, fields, error.errors), 422
    return render_template(
        "office/tools/check_new.html", slug=slug, fields=fields, labels=tool_editor.LABELS, draft=draft, errors={}
    )


@bp.post("/tools/new")
def add() -> ResponseReturnValue:
    slug, fields = typed("slug"), _fields()
    try:
        with transaction():
            tool_editor.add(slug, fields, reason=typed("reason"), actor=operator().email, now=utc_now())
    except BadTool as error:
        return _new_page(slug, fields, error.errors), 422
    except PanelError as error:
        return _new_page(slug, fields, by_field(error)), status_of(error)
    flash(f"The tool {slug} is made.")
    return redirect(url_for("office_tools.show", slug=slug), code=303)


@bp.get("/tools/<slug>")
def show(slug: str) -> ResponseReturnValue:
    tool = found(slug)
    return _page(tool, tool_editor.typed_of(tool))


@bp.get("/tools/<slug>/check", action=Action.MANAGE_CATALOGUE)
@bp.get("/tools/new/check", action=Action.MANAGE_CATALOGUE)
def back(slug: str = "new") -> ResponseReturnValue:
    """Redirect a reload of a check page's address to the form."""
    return redirect(f"/office/tools/{found(slug).slug}" if slug != "new" else "/office/tools/new", code=303)


@bp.post("/tools/<slug>/check")
def check(slug: str) -> ResponseReturnValue:
    """Check page with the old and new value of each changed field, before anything is saved."""
    tool, fields = found(slug), _dated_fields()
    try:
        return _check_page(tool, fields, version=typed("version"), reason="")
    except BadTool as error:
        return _page(tool, fields, error.errors, version=typed("version")), 422
    except PanelError as error:
        return _refused(slug, error)


@bp.post("/tools/<slug>")
def save(slug: str) -> ResponseReturnValue:
    tool, fields = found(slug), _dated_fields()
    try:
        effective_at = _effective_at()
        form = {"version": typed("version"), "reason": typed("reason"), "actor": operator().email}
        with transaction():
            if effective_at is None:
                tool_editor.save(slug, fields, **form, now=utc_now())
            else:
                tool_schedule.save(slug, fields, effective_at=effective_at, **form, now=utc_now())
    except BadTool as error:
        return _page(tool, fields, error.errors, version=typed("version")), 422
    except StaleForm as error:
        return _refused(slug, error)
    except PanelError as error:
        if error.field == "reason":
            return _check_page(tool, fields, version=typed("version"), reason=error.message), 422
        return _refused(slug, error)
    is_now = effective_at is None
    flash(f"The tool {slug} is saved." if is_now else "The change is scheduled. Customers can read it now.")
    return redirect(url_for("office_tools.show", slug=slug), code=303)


@bp.post("/tools/<slug>/scheduled/<int:scheduled_id>/cancel")
def cancel_scheduled(slug: str, scheduled_id: int) -> ResponseReturnValue:
    tool = found(slug)
    try:
        with transaction():
            scheduled_terms.cancel(
                slug, scheduled_id, reason=typed("cancel_reason"), actor=operator().email, now=utc_now()
            )
    except BadInput as error:
        return _page(tool, tool_editor.typed_of(tool), {"cancel_reason": error.message}), 422
    except PanelError as error:
        return _refused(slug, error)
    flash("The scheduled change is canceled. The tool stays as it is.")
    return redirect(url_for("office_tools.show", slug=slug), code=303)


@bp.post("/tools/<slug>/<any(hide, show):action>")
def show_or_hide(slug: str, action: str) -> ResponseReturnValue:
    found(slug)
    try:
        with transaction():
            tool_editor.show_or_hide(
                slug, is_hidden=action == "hide", reason=typed("reason"), actor=operator().email, now=utc_now()
            )
    except PanelError as error:
        return _refused(slug, error)
    flash(f"The tool {slug} is {'hidden' if action == 'hide' else 'shown'}.")
    return redirect(url_for("office_tools.show", slug=slug), code=303)


@bp.post("/tools/<slug>/leave-to-import")
def leave_to_import(slug: str) -> ResponseReturnValue:
    """Let the provider's next import set a field again."""
    found(slug)
    try:
        with transaction():
            tool_settings.leave_to_import(slug, typed("field"), actor=operator().email, now=utc_now())
    except PanelError as error:
        return _refused(slug, error)
    flash(f"The next import sets {typed('field')} again.")
    return redirect(url_for("office_tools.show", slug=slug), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The editor with the typed fields and the error."""
    slug: str = (request.view_args or {}).get("slug", "")
    if not slug:
        return _new_page(typed("slug"), _fields(), by_field(error)), error.http_status
    return _page(found(slug), _dated_fields(), by_field(error), version=typed("version")), error.http_status


def _fields() -> dict[str, str]:
    return {name: typed(name) for name in tool_editor.LABELS}


def _dated_fields() -> dict[str, str]:
    return _fields() | {scheduled_terms.DATE_FIELD: typed(scheduled_terms.DATE_FIELD)}


def _effective_at() -> datetime | None:
    """The time from which the changed terms hold; None: from now on. Raises BadTool."""
    text = typed(scheduled_terms.DATE_FIELD)
    try:
        return moment(text, name=scheduled_terms.DATE_FIELD) if text else None
    except BadInput as error:
        raise BadTool({scheduled_terms.DATE_FIELD: error.message}) from error


def found(slug: str) -> ToolOffer:
    """The tool, hidden or not; 404 without one."""
    tool = catalogue_tools.find_any(slug)
    if tool is None:
        abort(404)
    return tool


def _refused(slug: str, error: PanelError) -> ResponseReturnValue:
    """The tool's current page with the error."""
    tool = found(slug)
    return _page(tool, tool_editor.typed_of(tool), by_field(error)), status_of(error)


def _choices() -> list[tuple[str, str]]:
    return [
        ("", "Choose a provider"),
        *((each.name, f"{each.name} ({each.kind})") for each in provider_registry.listed()),
    ]


def _form_table() -> dict[str, object]:
    """Template data about order forms, for the editor's fields."""
    return {
        "order_types": list(order_types.TYPES),
        "quantity_rules": [(rule.value, f"{rule.label}: {rule.means}") for rule in QuantityRule],
        "fields_syntax": own_fields.SYNTAX,
    }


def _page(tool: ToolOffer, fields: dict[str, str], errors: dict[str, str] | None = None, *, version: str = "") -> str:
    log = terms_history.terms_log(tool.tool_id)
    return render_template(
        "office/tools/show.html",
        tool=tool,
        fields=fields,
        labels=tool_editor.LABELS,
        errors=errors or {},
        version=version or tool_editor.version_of(tool),
        log=list(zip(log, [*log[1:], None], strict=True)),
        scheduled=[(each, _labeled(each)) for each in scheduled_terms.of_tool(tool.tool_id)],
        by_hand=tool_editor.by_hand(tool.slug),
        choices=_choices(),
        providers=[route.provider_name for route in routes.of_tool(tool.tool_id)],
        retires_from=typed("retires_from"),
        retire_reason=typed("retire_reason"),
        **_form_table(),
    )


def page(tool: ToolOffer, errors: dict[str, str]) -> str:
    """The tool's page as it is now, with the errors of a form that stands beside the editor."""
    return _page(tool, tool_editor.typed_of(tool), errors)


def _labeled(scheduled: ScheduledTerms) -> list[tuple[str, str]]:
    if scheduled.is_retirement:
        return [("Retired", "no new orders")]
    return [(tool_editor.LABELS[field], text) for field, text in scheduled_terms.changes_of(scheduled).items()]


def _new_page(slug: str, fields: dict[str, str], errors: dict[str, str] | None = None) -> str:
    return render_template(
        "office/tools/new.html",
        slug=slug,
        fields=fields,
        labels=tool_editor.LABELS,
        errors=errors or {},
        choices=_choices(),
        reason=typed("reason"),
        **_form_table(),
    )


def _check_page(tool: ToolOffer, fields: dict[str, str], *, version: str, reason: str) -> str:
    if version != tool_editor.version_of(tool):
        raise StaleForm("The tool was changed since you opened it. Nothing was saved. This is what it is now.")
    effective_at = _effective_at()
    if effective_at is None:
        preview = tool_editor.preview(tool, fields)
    else:
        preview = tool_schedule.preview(tool, fields, effective_at=effective_at, now=utc_now())
    return render_template(
        "office/tools/check.html",
        tool=tool,
        fields=fields,
        effective_at=effective_at,
        preview=preview,
        version=version,
        errors={"reason": reason} if reason else {},
        reason=typed("reason"),
    )
