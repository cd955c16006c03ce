"""Bulk edit of tools in the office: choose tools, see old and new values, then save."""

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import is_confirmed
from panel.blueprints.office.forms import number, status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, PanelError, StaleForm
from panel.services.catalogue import bulk_edit
from panel.services.catalogue.bulk_edit import BulkToolAction, ToolSelection

bp = office_blueprint("tool_bulk", reads=Action.MANAGE_CATALOGUE, changes=Action.MANAGE_CATALOGUE)

INDEX = "/office/tools"
TOOLS_A_PAGE = 40
MAX_SHOWN = 100
_OWN_FIELDS = frozenset({"csrf_token", "confirmed", "digest", "reason"})


@bp.get("/tool-changes")
def back() -> ResponseReturnValue:
    """Redirect a reload of the check page's address to the list."""
    return redirect(INDEX, code=303)


@bp.post("/tool-changes")
def change() -> ResponseReturnValue:
    """Show old and new values first; save them when that page is confirmed."""
    action = BulkToolAction(typed("action")) if typed("action") in list(BulkToolAction) else None
    try:
        if action is None:
            raise BadInput("Choose what to change.", field="action")
        tool_ids = _chosen()
        if not is_confirmed():
            return _check_page(tool_ids, action)
        with transaction():
            did = bulk_edit.apply(
                tool_ids,
                action,
                typed("value"),
                digest=typed("digest"),
                reason=typed("reason"),
                actor=layout.actor(),
                now=utc_now(),
            )
    except PanelError as error:
        if action is not None and (error.field == "reason" or isinstance(error, StaleForm)):
            return _check_page(tool_ids, action, error), status_of(error)
        return list_page(error), status_of(error)
    count = len(did.changes)
    flash(f"{count:,} {'tool is' if count == 1 else 'tools are'} changed.")
    return redirect(INDEX, code=303)


def _selection() -> ToolSelection:
    given = {name: request.values.get(name, "").strip()[:200] for name in ("q", "category", "visibility")}
    visibility = given["visibility"] if given["visibility"] in ("shown", "hidden") else ""
    return ToolSelection(given["q"], given["category"], visibility)


def _chosen() -> list[int]:
    """Ids of the selected tools, or of all that the list has under its filters."""
    if typed("scope") == "list":
        return [tool.tool_id for tool in bulk_edit.listed(_selection())]
    return [found for text in request.form.getlist("tool") if (found := number(text)) is not None]


def _check_page(tool_ids: list[int], action: BulkToolAction, error: PanelError | None = None) -> str:
    found = bulk_edit.preview(tool_ids, action, typed("value"))
    return render_template(
        "office/tools/bulk_check.html",
        action=action,
        found=found,
        shown=found.changes[:MAX_SHOWN],
        left=found.left[:MAX_SHOWN],
        typed=[(name, value) for name, value in request.form.items(multi=True) if name not in _OWN_FIELDS],
        reason=typed("reason"),
        errors=by_field(error),
    )


def list_page(error: PanelError | None = None) -> str:
    """A page of the tools under the filters, with the form to change several."""
    selection = _selection()
    every = bulk_edit.listed(ToolSelection())
    tools = selection.of(every)
    page = max(1, number(request.values.get("page", "")) or 1)
    start = (page - 1) * TOOLS_A_PAGE
    return render_template(
        "office/tools/index.html",
        tools=tools[start : start + TOOLS_A_PAGE],
        total=len(tools),
        start=start,
        page=page,
        has_more=len(tools) > start + TOOLS_A_PAGE,
        selection=selection,
        categories=[("", "All categories"), *((name, name) for name in sorted({tool.category for tool in every}))],
        actions=[(action.value, action.label) for action in BulkToolAction],
        typed={name: typed(name) for name in ("action", "value")},
        errors=by_field(error),
    )
