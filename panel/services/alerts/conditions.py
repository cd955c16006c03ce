"""Alert conditions: what of each kind is true now, read from the rows that the office's queues show."""

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from panel.db import db
from panel.domain import money
from panel.domain.alerts import AlertFound, AlertKind
from panel.domain.errors import BadMoney
from panel.domain.review_kind import ReviewKind
from panel.domain.ticket import TicketState
from panel.models import (
    IS_OPEN_ATTEMPT,
    Attempt,
    AttemptKind,
    AttemptState,
    AuditRun,
    DepositRequest,
    Incident,
    Proposal,
    ProposalState,
    Provider,
    Review,
    Ticket,
)
from panel.services.money import deposits
from panel.services.platform import audit_runs
from panel.services.providers import health as provider_health

MAX_NAMED = 5
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


def found_now(*, now: datetime) -> dict[AlertKind, AlertFound]:
    """What of each kind is true now."""
    return {kind: look(now) for kind, look in _LOOKS.items()}


def _audit(now: datetime) -> AlertFound:
    last: AuditRun | None = audit_runs.newest(now=now)
    if last is None or last.is_sound:
        return AlertFound(0)
    differences = last.differences.split("\n")
    return AlertFound(len(differences), detail=differences[0])


def _provider_stopped(_now: datetime) -> AlertFound:
    is_stopped = or_(Provider.paused_at.is_not(None), Provider.unclear_adds >= provider_health.UNCLEAR_AFTER)
    rows = db.session.execute(select(Provider.name, Provider.paused_at).where(is_stopped).order_by(Provider.name)).all()
    times = [row.paused_at for row in rows if row.paused_at is not None]
    return AlertFound(len(rows), max(times, default=None), _named([row.name for row in rows]))


def _provider_silent(_now: datetime) -> AlertFound:
    is_silent = Provider.failures >= provider_health.SILENT_AFTER
    names = db.session.scalars(select(Provider.name).where(is_silent).order_by(Provider.name)).all()
    return AlertFound(len(names), detail=_named(list(names)))


def _provider_balance(_now: datetime) -> AlertFound:
    rows = db.session.execute(
        select(Provider.name, Provider.balance, Provider.balance_low_nanos)
        .where(Provider.balance_low_nanos.is_not(None), Provider.balance != "")
        .order_by(Provider.name)
    )
    low = [f"{name} ({balance})" for name, balance, bound in rows if bound is not None and _is_below(balance, bound)]
    return AlertFound(len(low), detail=_named(low))


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


def _unconfirmed(_now: datetime) -> AlertFound:
    is_unknown = and_(IS_OPEN_ATTEMPT, Attempt.state == AttemptState.UNKNOWN, Attempt.kind == AttemptKind.ADD)
    return _counted(select(func.count(), func.max(Attempt.at)).where(is_unknown))


def _payment(_now: datetime) -> AlertFound:
    is_open = (Review.resolved_at.is_(None), Review.kind == ReviewKind.PAYMENT)
    return _counted(select(func.count(), func.max(Review.opened_at)).where(*is_open))


def _review(_now: datetime) -> AlertFound:
    return _reviews(Review.kind.not_in(_NOT_AS_REVIEW))


def _catalogue(_now: datetime) -> AlertFound:
    return _reviews(Review.kind.in_(_CATALOGUE))


def _reviews(is_meant: ColumnElement[bool]) -> AlertFound:
    is_open = (Review.resolved_at.is_(None), is_meant)
    rows = db.session.execute(
        select(Review.kind, func.count(), func.max(Review.opened_at)).where(*is_open).group_by(Review.kind)
    ).all()
    named = [f"{ReviewKind(kind).label} ({count})" for kind, count, _newest in sorted(rows, key=lambda row: -row[1])]
    newest_at = max((newest for _kind, _count, newest in rows), default=None)
    return AlertFound(sum(count for _kind, count, _newest in rows), newest_at, _named(named))


def _deposit(_now: datetime) -> AlertFound:
    waiting = select(func.count(), func.max(DepositRequest.requested_at)).where(*deposits.WAITS_FOR_OPERATOR)
    return _counted(waiting)


def _ticket(_now: datetime) -> AlertFound:
    waits = Ticket.state == TicketState.WAITING_FOR_US
    return _counted(select(func.count(), func.max(Ticket.waits_since)).where(waits))


def _approval(now: datetime) -> AlertFound:
    waits = (Proposal.state == ProposalState.OPEN, Proposal.expires_at > now)
    return _counted(select(func.count(), func.max(Proposal.proposed_at)).where(*waits))


def _incident(_now: datetime) -> AlertFound:
    is_proposed = (Incident.published_at.is_(None), Incident.dismissed_at.is_(None))
    return _counted(select(func.count(), func.max(Incident.began_at)).where(*is_proposed))


def _counted(statement: Select[int, datetime]) -> AlertFound:
    count, newest_at = db.session.execute(statement).one()
    return AlertFound(int(count), newest_at)


def _named(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


_LOOKS: Mapping[AlertKind, Callable[[datetime], AlertFound]] = {
    AlertKind.AUDIT: _audit,
    AlertKind.PROVIDER_STOPPED: _provider_stopped,
    AlertKind.PROVIDER_SILENT: _provider_silent,
    AlertKind.PROVIDER_BALANCE: _provider_balance,
    AlertKind.UNCONFIRMED: _unconfirmed,
    AlertKind.PAYMENT: _payment,
    AlertKind.REVIEW: _review,
    AlertKind.CATALOGUE: _catalogue,
    AlertKind.DEPOSIT: _deposit,
    AlertKind.TICKET: _ticket,
    AlertKind.APPROVAL: _approval,
    AlertKind.INCIDENT: _incident,
}
