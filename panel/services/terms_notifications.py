"""Mails about changed terms, prices and retired tools, to customers who used the tool in the last 90 days.

The stored terms that customers know are compared with the current ones, so an edit, an import and a bulk edit are
noticed alike, and a change that was taken back is not mailed. All changes go into one mail a customer, in rounds a day
apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import aliased

from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.domain.accounts.roles import Role
from panel.domain.notification_kinds import Notice
from panel.models import Catalogue, MailedTerms, Order, Provider, Terms, TermsRound, Tool, User
from panel.services.catalogue import customer_prices, simulated_tools, terms_changes
from panel.services.catalogue.customer_prices import PriceList
from panel.services.catalogue.terms_changes import FieldChange
from panel.services.mail import notifications
from panel.services.orders import history

# Changes are collected for this long, so that a series of edits makes one mail, and a slip can be put right.
COLLECTED_FOR = timedelta(hours=1)
ROUNDS_APART = timedelta(days=1)
USED_WITHIN = timedelta(days=90)
CUSTOMERS_A_STEP = 50
MAX_LISTED = 50

MAILED, TOOLS, TERMS, ORDERS = (table_of(model) for model in (MailedTerms, Tool, Terms, Order))
_NEW = aliased(Terms)


@dataclass(frozen=True, slots=True)
class ToolChange:
    """What a mail says of one tool. Retired if it has no address any more."""

    name: str
    path: str
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class _Changed:
    """A tool of this round with its terms before and after."""

    tool_id: int
    slug: str
    is_retired: bool
    before: Terms
    after: Terms

    def at(self, prices: PriceList) -> ToolChange | None:
        """The change as a customer with these prices reads it; None where nothing differs for them."""
        if self.is_retired:
            return ToolChange(self.before.name, "", ())
        fields = terms_changes.differences(self.before, self.after, prices=prices)
        return ToolChange(self.after.name, f"/tools/{self.slug}", fields) if fields else None


def is_due(*, now: datetime) -> bool:
    """Whether there is anything to compare or to mail; reads only."""
    version = db.session.scalars(select(Catalogue.version)).one()
    found = db.session.get(TermsRound, 1)
    if found is None or found.mailed_up_to is not None:
        return True
    return found.seen_version != version and (found.noticed_at is None or _may_begin(found, now=now))


def step(*, now: datetime) -> int:
    """Compare, begin a round, or queue the mails to the next customers; returns how many customers were looked at.

    The mails' keys name round and customer: whatever is repeated, each gets one.
    """
    version = db.session.execute(lock_rows(select(Catalogue.version))).scalar_one()
    found = db.session.get(TermsRound, 1, populate_existing=True)
    if found is None:
        _know_new_tools()
        db.session.add(TermsRound(id=1, number=0, seen_version=version))
        db.session.flush()
        return 0
    if found.mailed_up_to is not None:
        return _queue_mails(found, now=now)
    _compare(found, version=version, now=now)
    db.session.flush()
    return 0


def _may_begin(found: TermsRound, *, now: datetime) -> bool:
    is_apart = found.ended_at is None or now >= found.ended_at + ROUNDS_APART
    return is_apart and found.noticed_at is not None and now >= found.noticed_at + COLLECTED_FOR


def _compare(found: TermsRound, *, version: int, now: datetime) -> None:
    _know_new_tools()
    # Nobody could order a hidden tool, so its terms while hidden are no change.
    current = {"terms_id": TOOLS.c.terms_id, "is_hidden": TOOLS.c.is_hidden}
    execute_write(update(MAILED).where(MAILED.c.tool_id == TOOLS.c.id, MAILED.c.is_hidden, _DIFFERS).values(current))
    if db.session.execute(select(MAILED.c.tool_id).join(TOOLS, TOOLS.c.id == MAILED.c.tool_id).where(_DIFFERS)).first():
        found.noticed_at = found.noticed_at or now
        if not _may_begin(found, now=now):
            return
        current = {"new_terms_id": TOOLS.c.terms_id, "new_is_hidden": TOOLS.c.is_hidden}
        execute_write(update(MAILED).where(MAILED.c.tool_id == TOOLS.c.id, _DIFFERS).values(current))
        found.number, found.mailed_up_to = found.number + 1, 0
    found.seen_version, found.noticed_at = version, None


_DIFFERS = and_(
    TOOLS.c.terms_id.is_not(None), or_(MAILED.c.terms_id != TOOLS.c.terms_id, MAILED.c.is_hidden != TOOLS.c.is_hidden)
)


def _know_new_tools() -> None:
    """Store the terms of tools that are new: customers who will use them know those."""
    new = select(TOOLS.c.id, TOOLS.c.terms_id, TOOLS.c.is_hidden).where(
        TOOLS.c.terms_id.is_not(None), TOOLS.c.id.not_in(select(MAILED.c.tool_id))
    )
    add = upsert(MAILED).from_select(["tool_id", "terms_id", "is_hidden"], new)
    execute_write(add.on_conflict_do_nothing(index_elements=[MAILED.c.tool_id]))


def _queue_mails(found: TermsRound, *, now: datetime) -> int:
    is_customer = (User.id > found.mailed_up_to, User.role == Role.CUSTOMER, User.closed_at.is_(None))
    user_ids = db.session.scalars(select(User.id).where(*is_customer).order_by(User.id).limit(CUSTOMERS_A_STEP)).all()
    used = {user_id: _used(user_id, since=now - USED_WITHIN) for user_id in user_ids}
    changed = _changed(set().union(*used.values()))
    groups = customer_prices.groups_of_customers()
    prices = {group_id: customer_prices.of_group(group_id) for group_id in {groups.get(each) for each in user_ids}}
    for user_id in user_ids:
        mine = [changed[tool_id].at(prices[groups.get(user_id)]) for tool_id in used[user_id] if tool_id in changed]
        _notify(user_id, [each for each in mine if each is not None], round_number=found.number, now=now)
    if len(user_ids) == CUSTOMERS_A_STEP:
        found.mailed_up_to = user_ids[-1]
    else:
        _end(found, now=now)
    db.session.flush()
    return len(user_ids)


def _end(found: TermsRound, *, now: datetime) -> None:
    found.mailed_up_to, found.ended_at = None, now
    told = {"terms_id": MAILED.c.new_terms_id, "is_hidden": MAILED.c.new_is_hidden}
    mailed = update(MAILED).where(MAILED.c.new_terms_id.is_not(None))
    execute_write(mailed.values({**told, "new_terms_id": None, "new_is_hidden": None}))


def _used(user_id: int, *, since: datetime) -> set[int]:
    """The changed tools that this customer's newest order of each shows as used since then."""
    newest = (
        select(ORDERS.c.placed_at)
        .where(ORDERS.c.customer_id == user_id, ORDERS.c.tool_id == MAILED.c.tool_id)
        .order_by(ORDERS.c.id.desc())
        .limit(1)
        .correlate(MAILED)
        .scalar_subquery()
    )
    ever = history.tools_used(user_id)
    is_it = (MAILED.c.new_terms_id.is_not(None), MAILED.c.tool_id.in_(ever), newest >= since)
    return set(db.session.scalars(select(MAILED.c.tool_id).where(*is_it))) if ever else set()


def _changed(tool_ids: Collection[int]) -> dict[int, _Changed]:
    rows = db.session.execute(
        select(
            MailedTerms.new_is_hidden,
            Tool.id,
            Tool.slug,
            Terms,
            _NEW,
            Provider.kind.label("provider_kind"),
            Provider.name.label("provider_name"),
        )
        .join(Tool, Tool.id == MailedTerms.tool_id)
        .join(Provider, Provider.id == Tool.provider_id)
        .join(Terms, Terms.id == MailedTerms.terms_id)
        .join(_NEW, _NEW.id == MailedTerms.new_terms_id)
        .where(MailedTerms.tool_id.in_(tool_ids))
    )
    return {
        row[1]: _Changed(row[1], row[2], bool(row[0]), row[3], row[4]) for row in rows if simulated_tools.is_sold(row)
    }


def _notify(user_id: int, changes: Sequence[ToolChange], *, round_number: int, now: datetime) -> None:
    if not changes:
        return
    by_name = sorted(changes, key=lambda change: (change.name, change.path))
    notifications.notify(
        user_id,
        Notice.TERMS,
        key=f"terms:{round_number}:{user_id}",
        now=now,
        count=len(changes),
        changed=[change for change in by_name if change.path][:MAX_LISTED],
        retired=[change for change in by_name if not change.path][:MAX_LISTED],
        unlisted=_unlisted(changes),
    )


def _unlisted(changes: Sequence[ToolChange]) -> int:
    retired = sum(not change.path for change in changes)
    return max(0, retired - MAX_LISTED) + max(0, len(changes) - retired - MAX_LISTED)
