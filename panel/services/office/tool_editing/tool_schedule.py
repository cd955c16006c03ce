"""Tool editor with a date: the changed terms are announced now and take effect later."""

from collections.abc import Mapping
from datetime import datetime

from panel.domain.errors import ActionRefused, BadInput, StaleForm
from panel.services import audit_log
from panel.services.catalogue import scheduled_terms, tool_settings, tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.office import tool_editor
from panel.services.office.tool_editor import BadTool, ToolPreview


def preview(tool: ToolOffer, typed: Mapping[str, str], *, effective_at: datetime, now: datetime) -> ToolPreview:
    """Preview of the changes at that time. Raises BadTool, also for the date and for fields that take none."""
    found = tool_editor.preview(tool, typed)
    others = [change.label for change in found.changes if change.field not in scheduled_terms.FIELDS]
    try:
        scheduled_terms.check_date(effective_at, now=now)
    except BadInput as error:
        raise BadTool({scheduled_terms.DATE_FIELD: error.message}) from error
    if others:
        message = f"Only price, limits, refill and cancel can change at a date. Save by itself: {', '.join(others)}."
        raise BadTool({scheduled_terms.DATE_FIELD: message})
    return found


def save(
    slug: str,
    typed: Mapping[str, str],
    *,
    effective_at: datetime,
    version: str,
    reason: str,
    actor: str,
    now: datetime,
) -> ToolPreview:
    """Schedule the changed terms. Raises NotFound, BadTool, BadInput, Refused or StaleForm."""
    reason = audit_log.checked_reason(reason)
    tool = tool_settings.lock_tool(slug)
    present = tools.find_any(slug)
    assert present is not None, "a tool has terms"
    if tool_editor.version_of(present) != version:
        raise StaleForm("The tool was changed since you opened it. Nothing was saved. This is what it is now.")
    did = preview(present, typed, effective_at=effective_at, now=now)
    if not did.changes:
        raise ActionRefused("Nothing differs from what the tool is now. Nothing was saved.")
    changes = {change.field: change.new for change in did.changes}
    scheduled_terms.schedule(tool, changes, effective_at=effective_at, reason=reason, actor=actor, now=now)
    return did
