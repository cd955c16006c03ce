"""Mails about changed, announced and retired terms of tools, to customers who used the tool in the last 90 days.

The stored terms that customers know are compared with the current ones, so an edit, an import and a bulk edit are
noticed alike, and a change that was taken back is not mailed. So are a customer's own prices: when those of the price
group change, or the group, the prices known before are kept until the mail. All changes go into one mail a customer, in
rounds a day apart.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import aliased

from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.domain.accounts.roles import Role
from panel.domain.notification_kinds import Notice
from panel.models import Catalogue, MailedTerms, Order, Provider, ScheduledTerms, Terms, TermsRound, Tool, User
from panel.services.catalogue import customer_prices, known_prices, scheduled_terms, simulated_tools, terms_changes
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

MAILED, TOOLS, ORDERS = table_of(MailedTerms), table_of(Tool), table_of(Order)
SCHEDULED = table_of(ScheduledTerms)
_NEW = aliased(Terms)


class NewsKind(StrEnum):
    """Kind of news about a tool, in the order of a mail's sections."""

    SCHEDULED = "scheduled"
    CHANGED = "changed"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ToolNews:
    """News about one tool in a mail. `at`: when a scheduled change takes effect, or would have."""

    kind: NewsKind
    tool_id: int
    name: str
    path: str
    fields: tuple[FieldChange, ...] = ()
    at: datetime | None = None
    is_retirement: bool = False


@dataclass(frozen=True, slots=True)
class _Subject:
    """A tool of this round with its terms before and after."""

    kind: NewsKind
    tool_id: int
    slug: str
    before: Terms
    after: Terms
    at: datetime | None = None
    is_retirement: bool = False

    def news(self, prices: PriceList, known: PriceList | None = None) -> ToolNews | None:
        """News for customers with these prices, who may know other ones; None where nothing differs for them."""
        if self.kind is NewsKind.RETIRED:
            return ToolNews(self.kind, self.tool_id, self.before.name, "")
        old_prices = known if self.kind is NewsKind.CHANGED else None
        fields = terms_changes.differences(self.before, self.after, prices=prices, old_prices=old_prices)
        if self.is_retirement:
            fields = (scheduled_terms.NO_NEW_ORDERS,)
        name, path = self.after.name, f"/tools/{self.slug}"
        return ToolNews(self.kind, self.tool_id, name, path, fields, self.at, self.is_retirement) if fields else None


def is_due(*, now: datetime) -> bool:
    """Whether there is anything to compare or to mail; reads only."""
    version = db.session.scalars(select(Catalogue.version)).one()
    found = db.session.get(TermsRound, 1)
    if found is None or found.mailed_up_to is not None:
        return True
    if found.noticed_at is not None and not _may_begin(found, now=now):
        return False
    return found.seen_version != version or known_prices.is_any()


def step(*, now: datetime) -> int:
    """Compare, begin a round, or queue the mails to the next customers; returns how many customers were looked at.

    The mails' keys name round and customer: whatever is repeated, each gets one.
    """
    version = db.session.execute(lock_rows(select(Catalogue.version))).scalar_one()
    found = db.session.get(TermsRound, 1, populate_existing=True)
    if found is None:
        _know_new_tools()
        known_prices.forget_all()
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
    if _is_any_news():
        found.noticed_at = found.noticed_at or now
        if not _may_begin(found, now=now):
            return
        current = {"new_terms_id": TOOLS.c.terms_id, "new_is_hidden": TOOLS.c.is_hidden}
        execute_write(update(MAILED).where(MAILED.c.tool_id == TOOLS.c.id, _DIFFERS).values(current))
        found.number, found.mailed_up_to = found.number + 1, 0
        execute_write(update(SCHEDULED).where(*_TO_ANNOUNCE).values(announced_round=found.number))
        execute_write(update(SCHEDULED).where(*_TO_WITHDRAW).values(withdrawn_round=found.number))
    found.seen_version, found.noticed_at = version, None


_DIFFERS = and_(
    TOOLS.c.terms_id.is_not(None), or_(MAILED.c.terms_id != TOOLS.c.terms_id, MAILED.c.is_hidden != TOOLS.c.is_hidden)
)


_TO_ANNOUNCE = (SCHEDULED.c.ended_at.is_(None), SCHEDULED.c.announced_round.is_(None))
_TO_WITHDRAW = (
    *(SCHEDULED.c.ended_at.is_not(None), SCHEDULED.c.terms_id.is_(None)),
    *(SCHEDULED.c.announced_round.is_not(None), SCHEDULED.c.withdrawn_round.is_(None)),
)


def _is_any_news() -> bool:
    differing = select(MAILED.c.tool_id).join(TOOLS, TOOLS.c.id == MAILED.c.tool_id).where(_DIFFERS)
    announced = select(SCHEDULED.c.tool_id).where(or_(and_(*_TO_ANNOUNCE), and_(*_TO_WITHDRAW)))
    found = (db.session.execute(each.limit(1)).first() is not None for each in (differing, announced))
    return any(found) or known_prices.is_any()


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
    known = known_prices.take(user_ids)
    since = now - USED_WITHIN
    used = {each: _used(each, None if each in known else found.number, since=since) for each in user_ids}
    tool_ids = set().union(*used.values())
    subjects = _subjects(tool_ids, found.number)
    is_subject = {each.tool_id for each in subjects if each.kind in (NewsKind.CHANGED, NewsKind.RETIRED)}
    unchanged = _unchanged(tool_ids - is_subject) if known else []
    groups = customer_prices.groups_of_customers()
    prices = {group_id: customer_prices.of_group(group_id) for group_id in {groups.get(each) for each in user_ids}}
    for user_id in user_ids:
        all_subjects = [*subjects, *unchanged] if user_id in known else subjects
        lists = prices[groups.get(user_id)], known.get(user_id)
        mine = [each.news(*lists) for each in all_subjects if each.tool_id in used[user_id]]
        _notify(user_id, [each for each in mine if each is not None], round_number=found.number, now=now)
    if len(user_ids) == CUSTOMERS_A_STEP:
        found.mailed_up_to = user_ids[-1]
    else:
        _end(found, now=now)
    db.session.flush()
    return len(user_ids)


def _end(found: TermsRound, *, now: datetime) -> None:
    known_prices.forget_accounts_without_mails()
    found.mailed_up_to, found.ended_at = None, now
    current = {"terms_id": MAILED.c.new_terms_id, "is_hidden": MAILED.c.new_is_hidden}
    mailed = update(MAILED).where(MAILED.c.new_terms_id.is_not(None))
    execute_write(mailed.values({**current, "new_terms_id": None, "new_is_hidden": None}))


def _used(user_id: int, number: int | None, *, since: datetime) -> set[int]:
    """The tools of this round, or of all, that this customer used since then: the newest order of each tells."""
    ever = history.tools_used(user_id)
    newest = (
        select(ORDERS.c.placed_at)
        .where(ORDERS.c.customer_id == user_id, ORDERS.c.tool_id == TOOLS.c.id)
        .order_by(ORDERS.c.id.desc())
        .limit(1)
        .correlate(TOOLS)
        .scalar_subquery()
    )
    changed = select(MAILED.c.tool_id).where(MAILED.c.new_terms_id.is_not(None))
    is_scheduled = or_(SCHEDULED.c.announced_round == number, SCHEDULED.c.withdrawn_round == number)
    is_subject = or_(TOOLS.c.id.in_(changed), TOOLS.c.id.in_(select(SCHEDULED.c.tool_id).where(is_scheduled)))
    found = select(TOOLS.c.id).where(TOOLS.c.id.in_(ever), newest >= since)
    if number is not None:
        found = found.where(is_subject)
    return set(db.session.scalars(found)) if ever else set()


def _subjects(tool_ids: Collection[int], number: int) -> list[_Subject]:
    rows = db.session.execute(
        select(
            MailedTerms.new_is_hidden,
            *(Tool.id, Tool.slug, Terms, _NEW),
            Provider.kind.label("provider_kind"),
            Provider.name.label("provider_name"),
        )
        .join(Tool, Tool.id == MailedTerms.tool_id)
        .join(Provider, Provider.id == Tool.provider_id)
        .join(Terms, Terms.id == MailedTerms.terms_id)
        .join(_NEW, _NEW.id == MailedTerms.new_terms_id)
        .where(MailedTerms.tool_id.in_(tool_ids))
    )
    sold = [row for row in rows if simulated_tools.is_sold(row)]
    changed = [_Subject(NewsKind.RETIRED if row[0] else NewsKind.CHANGED, *row[1:5]) for row in sold]
    return [*changed, *_scheduled(NewsKind.SCHEDULED, number), *_scheduled(NewsKind.WITHDRAWN, number)]


def _unchanged(tool_ids: Collection[int]) -> list[_Subject]:
    """Tools whose terms are as customers know them, for those whose own prices changed."""
    rows = db.session.execute(
        select(*(Tool.id, Tool.slug, Terms), Provider.kind.label("provider_kind"), Provider.name.label("provider_name"))
        .join(Provider, Provider.id == Tool.provider_id)
        .join(Terms, Terms.id == Tool.terms_id)
        .where(Tool.id.in_(tool_ids), Tool.is_hidden.is_(False))
    )
    return [_Subject(NewsKind.CHANGED, row[0], row[1], row[2], row[2]) for row in rows if simulated_tools.is_sold(row)]


def _scheduled(kind: NewsKind, number: int) -> list[_Subject]:
    """Changes that this round announces, as far as they are still pending, or that it says won't happen."""
    is_ended = kind is NewsKind.WITHDRAWN
    column = SCHEDULED.c.withdrawn_round if is_ended else SCHEDULED.c.announced_round
    ids = db.session.scalars(select(SCHEDULED.c.id).where(column == number)).all()
    found = scheduled_terms.pending(of=ids, also_ended=is_ended) if ids else []
    return [
        _Subject(kind, each.tool_id, each.slug, each.before, each.after, each.effective_at, each.is_retirement)
        for each in found
    ]


def _notify(user_id: int, news: Sequence[ToolNews], *, round_number: int, now: datetime) -> None:
    if not news:
        return
    by_name = sorted(news, key=lambda each: (each.name, each.tool_id))
    by_kind = {kind: [each for each in by_name if each.kind is kind] for kind in NewsKind}
    notifications.notify(
        user_id,
        Notice.TERMS,
        key=f"terms:{round_number}:{user_id}",
        now=now,
        count=len({each.tool_id for each in news}),
        **{kind.value: found[:MAX_LISTED] for kind, found in by_kind.items()},
        unlisted=sum(max(0, len(found) - MAX_LISTED) for found in by_kind.values()),
    )
