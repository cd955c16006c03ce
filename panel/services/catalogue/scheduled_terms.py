"""Scheduled changes of terms: announced ahead, and applied once as a new version of the terms when they are due.

Until a change is applied, the terms before it hold: order forms, check pages and placing all read the tool's current
version, so a late worker delays the change and never charges a price that was not shown.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from panel.db import db, execute_write, lock_rows
from panel.domain.errors import ActionRefused, BadInput, NotFound
from panel.domain.lists.list_filters import MAX_ID
from panel.models import RETIREMENT, Catalogue, MailedTerms, Provider, ScheduledTerms, Terms, TermsRound, Tool
from panel.services import audit_log
from panel.services.catalogue import simulated_tools, terms_changes, tool_settings, tools
from panel.services.catalogue.customer_prices import LIST_PRICES, PriceList
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.terms_changes import FieldChange

# What a date can be given for: a change of the link or the order form concerns orders that are being written now.
FIELDS = tool_settings.TERMS
MIN_AHEAD, MAX_AHEAD = timedelta(hours=1), timedelta(days=365)
MAX_LISTED = 5
NO_NEW_ORDERS = FieldChange("New orders", "accepted", "no longer accepted")
DATE_FIELD = "effective_from"


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A pending change with the terms before and after it."""

    id: int
    tool_id: int
    slug: str
    effective_at: datetime
    made_at: datetime
    before: Terms
    after: Terms
    is_retirement: bool = False

    def fields(self, prices: PriceList = LIST_PRICES) -> tuple[FieldChange, ...]:
        """The changed fields for customers with these prices; empty where nothing changes for them."""
        if self.is_retirement:
            return (NO_NEW_ORDERS,)
        return terms_changes.differences(self.before, self.after, prices=prices)


def check_date(effective_at: datetime, *, now: datetime) -> None:
    """Raises BadInput unless it lies from an hour to a year ahead."""
    if not now + MIN_AHEAD <= effective_at <= now + MAX_AHEAD:
        raise BadInput("Choose a time from 1 hour to 365 days ahead, in UTC.", field=DATE_FIELD)


def schedule(
    tool: Tool, changes: Mapping[str, str], *, effective_at: datetime, reason: str, actor: str, now: datetime
) -> ScheduledTerms:
    """Announce these fields of FIELDS for a locked tool. Raises BadInput, and Refused if a change is pending."""
    check_date(effective_at, now=now)
    present = tools.find_any(tool.slug)
    assert present is not None, "a tool has terms"
    tool_settings.changed_terms(tools.terms_of(present), changes)
    return _add(tool, json.dumps(dict(changes)), effective_at=effective_at, reason=reason, actor=actor, now=now)


def schedule_retirement(slug: str, *, effective_at: datetime, reason: str, actor: str, now: datetime) -> ScheduledTerms:
    """Announce that the tool is retired: hidden then, while its orders go on. Raises as `schedule`, and NotFound."""
    reason = audit_log.checked_reason(reason)
    check_date(effective_at, now=now)
    tool = tool_settings.lock_tool(slug)
    if tool.is_hidden:
        raise ActionRefused(f"The tool {slug} is hidden already.")
    return _add(tool, RETIREMENT, effective_at=effective_at, reason=reason, actor=actor, now=now)


def _add(tool: Tool, changes: str, *, effective_at: datetime, reason: str, actor: str, now: datetime) -> ScheduledTerms:
    if any(each.ended_at is None for each in of_tool(tool.id)):
        raise ActionRefused("A change of this tool is scheduled already. Cancel it first.")
    made = ScheduledTerms(
        tool_id=tool.id,
        changes=changes,
        effective_at=effective_at,
        reason=reason,
        actor=actor,
        made_at=now,
    )
    db.session.add(made)
    db.session.flush()
    detail = f"{reason} (from {effective_at:%Y-%m-%d %H:%M} UTC: {_listed(changes_of(made))})"
    tool_settings.record_change(tool, "tools schedule", detail, actor=actor, now=now)
    return made


def cancel(slug: str, scheduled_id: int, *, reason: str, actor: str, now: datetime) -> None:
    """Cancel a pending change. Raises NotFound, BadInput, and Refused if it isn't pending any more."""
    reason = audit_log.checked_reason(reason)
    tool = tool_settings.lock_tool(slug)
    found = _lock(scheduled_id) if scheduled_id <= MAX_ID else None
    if found is None or found.tool_id != tool.id:
        raise NotFound("There is no such scheduled change.")
    if found.ended_at is not None:
        raise ActionRefused("This change isn’t pending any more.")
    found.ended_at = now
    tool_settings.record_change(
        tool, "tools schedule cancel", f"{reason} ({_listed(changes_of(found))})", actor=actor, now=now
    )


def of_tool(tool_id: int) -> Sequence[ScheduledTerms]:
    """The newest changes that were scheduled for this tool, newest first."""
    mine = select(ScheduledTerms).where(ScheduledTerms.tool_id == tool_id)
    return db.session.scalars(mine.order_by(ScheduledTerms.id.desc()).limit(MAX_LISTED)).all()


def pending(*, of: Sequence[int] | None = None, also_ended: bool = False) -> list[PendingChange]:
    """Pending changes of tools that customers see, the next first; optionally of these rows alone."""
    wanted = [Tool.is_hidden.is_(False)]
    if not also_ended:
        wanted.append(ScheduledTerms.ended_at.is_(None))
    if of is not None:
        wanted.append(ScheduledTerms.id.in_(of))
    rows = db.session.execute(
        select(
            ScheduledTerms,
            Tool.slug,
            Terms,
            Provider.kind.label("provider_kind"),
            Provider.name.label("provider_name"),
        )
        .join(Tool, Tool.id == ScheduledTerms.tool_id)
        .join(Terms, Terms.id == Tool.terms_id)
        .join(Provider, Provider.id == Tool.provider_id)
        .where(*wanted)
        .order_by(ScheduledTerms.effective_at, ScheduledTerms.id)
    )
    found = [_pending(row[0], row[1], row[2]) for row in rows if simulated_tools.is_sold(row)]
    return [each for each in found if each is not None]


def is_any_due(*, now: datetime) -> bool:
    due = (ScheduledTerms.ended_at.is_(None), ScheduledTerms.effective_at <= now)
    return db.session.scalar(select(ScheduledTerms.id).where(*due).limit(1)) is not None


def apply_next(*, now: datetime) -> bool:
    """Apply one due change as the tool's next version of terms; False if none is due.

    The catalogue is locked first, as for every change of terms, so that two workers apply a change once.
    """
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    due = select(ScheduledTerms).where(ScheduledTerms.ended_at.is_(None), ScheduledTerms.effective_at <= now)
    first = due.order_by(ScheduledTerms.effective_at, ScheduledTerms.id).limit(1)
    found: ScheduledTerms | None = db.session.scalar(lock_rows(first).execution_options(populate_existing=True))
    if found is None:
        return False
    tool = db.session.get_one(Tool, found.tool_id, populate_existing=True)
    present = tools.find_any(tool.slug)
    assert present is not None, "a tool has terms"
    found.ended_at = now
    if found.is_retirement:
        _retire(found, tool, present.terms_id, now=now)
        return True
    changes = changes_of(found)
    try:
        written = tool_settings.changed_terms(tools.terms_of(present), changes)
    except BadInput as why:
        found.problem = why.message
        tool_settings.record_change(tool, "tools schedule fail", why.message, actor="panel", now=now)
        return True
    _apply(found, tool, present.terms_id, written, now=now)
    detail = f"{found.reason} (scheduled by {found.actor}: {_listed(changes)})"
    tool_settings.record_change(tool, "tools schedule apply", detail, actor="panel", now=now)
    return True


def _retire(found: ScheduledTerms, tool: Tool, terms_id: int, *, now: datetime) -> None:
    """Hide the tool, unless an operator was faster. Its orders, and the terms they were placed under, stay."""
    found.terms_id = terms_id
    if tool.is_hidden:
        return
    tool.is_hidden = True
    tool.set_by_hand = " ".join(sorted({*tool.set_by_hand.split(), "hidden"}))
    if found.announced_round is not None and not _is_being_mailed(found.announced_round):
        # Customers were mailed about it ahead, as with changed terms.
        execute_write(update(MailedTerms).where(MailedTerms.tool_id == tool.id).values(is_hidden=True))
        in_round = (MailedTerms.tool_id == tool.id, MailedTerms.new_is_hidden.is_not(None))
        execute_write(update(MailedTerms).where(*in_round).values(new_is_hidden=True))
    detail = f"{found.reason} (scheduled by {found.actor})"
    tool_settings.record_change(tool, "tools hide", detail, actor="panel", now=now)


def _apply(found: ScheduledTerms, tool: Tool, old_id: int, written: TermsWritten, *, now: datetime) -> None:
    found.terms_id = tool.terms_id = tools.next_terms(tool.id, written, now=now)
    tool.set_by_hand = " ".join(sorted({*tool.set_by_hand.split(), *changes_of(found)}))
    if found.announced_round is not None and not _is_being_mailed(found.announced_round):
        # Customers were mailed about it ahead, so it is no news when it takes effect. While that round still runs, some
        # were not: the next one mails all of them.
        for known in (MailedTerms.terms_id, MailedTerms.new_terms_id):
            is_known = (MailedTerms.tool_id == tool.id, known == old_id)
            execute_write(update(MailedTerms).where(*is_known).values({known: found.terms_id}))


def _is_being_mailed(number: int) -> bool:
    is_running = (TermsRound.number == number, TermsRound.mailed_up_to.is_not(None))
    return db.session.scalar(select(TermsRound.id).where(*is_running)) is not None


def _lock(scheduled_id: int) -> ScheduledTerms | None:
    wanted = lock_rows(select(ScheduledTerms).where(ScheduledTerms.id == scheduled_id))
    found: ScheduledTerms | None = db.session.scalar(wanted.execution_options(populate_existing=True))
    return found


def _pending(row: ScheduledTerms, slug: str, before: Terms) -> PendingChange | None:
    try:
        written = tools.terms_of(before)
        if not row.is_retirement:
            written = tool_settings.changed_terms(written, changes_of(row))
    except BadInput:
        # Other terms changed since, so that this change fits no longer; applying it will say so.
        return None
    # Copies that belong to no session, so that caches can keep them.
    columns = {column.key: getattr(before, column.key) for column in Terms.__mapper__.column_attrs}
    after = Terms(**columns | {name: getattr(written, name) for name in TermsWritten.__dataclass_fields__})
    terms = (Terms(**columns), after)
    return PendingChange(row.id, row.tool_id, slug, row.effective_at, row.made_at, *terms, row.is_retirement)


def changes_of(found: ScheduledTerms) -> dict[str, str]:
    """The changed fields and their values, as an operator writes them."""
    changes: dict[str, str] = json.loads(found.changes)
    return changes


def _listed(changes: Mapping[str, str]) -> str:
    return ", ".join(f"{field}={text}" for field, text in changes.items())
