"""Alert conditions: what of each kind is true now, read from the rows that the office's queues show."""

from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    CompoundSelect,
    Select,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)

from panel.db import UtcDateTime, db
from panel.db.compiled_statements import CompiledStatement
from panel.domain import money
from panel.domain.alerts import AlertFound, AlertKind
from panel.domain.errors import BadMoney
from panel.domain.review_kind import ReviewKind
from panel.domain.ticket import TicketState
from panel.models import (
    IS_NOT_CLOSED,
    IS_OPEN_ATTEMPT,
    IS_OPEN_PROPOSAL,
    Attempt,
    AttemptKind,
    AttemptState,
    AuditRun,
    DepositRequest,
    Incident,
    Proposal,
    Provider,
    Review,
    Ticket,
)
from panel.services.money import deposits
from panel.services.platform import audit_runs
from panel.services.providers import health as provider_health

MAX_NAMED = 5
_NO_WORD = literal_column("''", Text)
_CATALOGUE = (
    ReviewKind.SERVICE_CHANGED,
    ReviewKind.PRICE_MOVED,
    ReviewKind.IMPORT_WAITS,
    ReviewKind.UPSTREAM_CHARGE,
    ReviewKind.LINK_PATTERN,
)
# These have alerts of their own.
_NOT_AS_REVIEW = (
    *_CATALOGUE,
    ReviewKind.UNCONFIRMED,
    ReviewKind.PAYMENT,
    ReviewKind.PROVIDER_SILENT,
    ReviewKind.PROVIDER_PAUSED,
    ReviewKind.PROVIDER_UNCLEAR,
)


class OpenReviews(NamedTuple):
    """How many reviews of a kind are open, and since when the newest is."""

    kind: ReviewKind
    number: int
    newest_at: datetime


def found_now(*, now: datetime) -> dict[AlertKind, AlertFound]:
    """Current state of each kind."""
    counted = _COUNTS.fetch({"now": now})
    waiting = {kind: AlertFound(count, newest_at) for kind, word, count, newest_at in counted if not word}
    reviews = [OpenReviews(ReviewKind(word), *rest) for _kind, word, *rest in counted if word]
    return {
        AlertKind.AUDIT: _audit(now),
        **_providers(),
        AlertKind.UNCONFIRMED: waiting[AlertKind.UNCONFIRMED],
        AlertKind.PAYMENT: replace(_reviews([of for of in reviews if of.kind is ReviewKind.PAYMENT]), detail=""),
        AlertKind.REVIEW: _reviews([of for of in reviews if of.kind not in _NOT_AS_REVIEW]),
        AlertKind.CATALOGUE: _reviews([of for of in reviews if of.kind in _CATALOGUE]),
        **{
            kind: waiting[kind]
            for kind in (AlertKind.DEPOSIT, AlertKind.TICKET, AlertKind.APPROVAL, AlertKind.INCIDENT)
        },
    }


def _audit(now: datetime) -> AlertFound:
    last: AuditRun | None = audit_runs.newest(now=now)
    if last is None or last.is_sound:
        return AlertFound(0)
    differences = last.differences.split("\n")
    return AlertFound(len(differences), detail=differences[0])


def _providers() -> dict[AlertKind, AlertFound]:
    """Providers that get no orders, that don't respond, or where we have little money."""
    rows = db.session.execute(_WITH_PROBLEMS).all()
    stopped = [row for row in rows if row.paused_at is not None or row.unclear_adds >= provider_health.UNCLEAR_AFTER]
    silent = [row.name for row in rows if row.failures >= provider_health.SILENT_AFTER]
    low = [
        f"{row.name} ({row.balance})"
        for row in rows
        if row.balance and row.balance_low_nanos is not None and _is_below(row.balance, row.balance_low_nanos)
    ]
    paused_at = max((row.paused_at for row in stopped if row.paused_at is not None), default=None)
    return {
        AlertKind.PROVIDER_STOPPED: AlertFound(len(stopped), paused_at, _named([row.name for row in stopped])),
        AlertKind.PROVIDER_SILENT: AlertFound(len(silent), detail=_named(silent)),
        AlertKind.PROVIDER_BALANCE: AlertFound(len(low), detail=_named(low)),
    }


def _is_below(balance: str, bound_nanos: int) -> bool:
    """Whether the provider's own text, such as `12.30 USD`, names an amount below the bound. A text we can't read is
    no alert: the provider's page shows it."""
    amount = balance.partition(" ")[0]
    if amount.startswith("-"):
        return True
    try:
        return money.parse_nanos(amount) < bound_nanos
    except BadMoney:
        return False


def _reviews(found: list[OpenReviews]) -> AlertFound:
    most_first = sorted(found, key=lambda of: -of.number)
    newest_at = max((of.newest_at for of in found), default=None)
    named = [f"{of.kind.label} ({of.number})" for of in most_first]
    return AlertFound(sum(of.number for of in found), newest_at, _named(named))


def _named(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _counts() -> CompoundSelect[str, str, int, datetime]:
    """Counts of waiting work, in one statement: alert, review kind or nothing, how many, and the newest."""
    is_unknown = and_(IS_OPEN_ATTEMPT, Attempt.state == AttemptState.UNKNOWN, Attempt.kind == AttemptKind.ADD)
    is_waiting = and_(IS_NOT_CLOSED, Ticket.state == TicketState.WAITING_FOR_US)
    now = bindparam("now", type_=UtcDateTime())
    is_open = (IS_OPEN_PROPOSAL, Proposal.expires_at > now)
    is_proposed = (Incident.published_at.is_(None), Incident.dismissed_at.is_(None))
    reviews = _count(AlertKind.REVIEW, Review.opened_at, word=type_coerce(Review.kind, Text))
    return union_all(
        _count(AlertKind.UNCONFIRMED, Attempt.at).where(is_unknown),
        reviews.where(Review.resolved_at.is_(None)).group_by(Review.kind),
        _count(AlertKind.DEPOSIT, DepositRequest.requested_at).where(*deposits.WAITS_FOR_OPERATOR),
        _count(AlertKind.TICKET, Ticket.waits_since).where(is_waiting),
        _count(AlertKind.APPROVAL, Proposal.proposed_at).where(*is_open),
        _count(AlertKind.INCIDENT, Incident.began_at).where(*is_proposed),
    )


def _count(kind: AlertKind, at: Any, *, word: Any = _NO_WORD) -> Select[str, str, int, datetime]:
    return select(literal_column(f"'{kind}'", Text), word, func.count(), func.max(at))


_COUNTS = CompiledStatement(_counts)
_WITH_PROBLEMS = (
    select(
        Provider.name,
        Provider.paused_at,
        Provider.unclear_adds,
        Provider.failures,
        Provider.balance,
        Provider.balance_low_nanos,
    )
    .where(
        or_(
            Provider.paused_at.is_not(None),
            Provider.unclear_adds >= provider_health.UNCLEAR_AFTER,
            Provider.failures >= provider_health.SILENT_AFTER,
            Provider.balance_low_nanos.is_not(None),
        )
    )
    .order_by(Provider.name)
)
