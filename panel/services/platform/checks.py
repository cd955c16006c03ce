"""Component checks from the database: waiting times, provider answers and the audit's result."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select

from panel.db import db
from panel.domain.platform.component_states import (
    COMPONENTS,
    Component,
    Finding,
    State,
    overall,
    provider_key,
    provider_state,
)
from panel.models import Order, Provider
from panel.services.platform import audit_runs, components
from panel.services.platform.canary import Canary
from panel.services.providers import health as provider_health

# A test order ends within a minute of being sent, plus the polling interval.
CANARY_ENDS_AFTER = timedelta(seconds=60)
MILLISECOND = timedelta(milliseconds=1)
# A provider that has answered within this time counts as reachable.
ASKED_WITHIN = timedelta(minutes=10)


def dispatch(*, now: datetime) -> Finding:
    """Age of the oldest order waiting for an available provider, including test orders."""
    first_due = select(func.min(Order.dispatch_at)).where(
        Order.provider_id == Provider.id, Order.dispatch_at.is_not(None)
    )
    well = (*provider_health.takes_orders(now), Provider.failures == 0)
    found = db.session.scalars(select(first_due.correlate(Provider).scalar_subquery()).where(*well))
    due = [at for at in found if at is not None and at <= now]
    if not due:
        return Finding(Component.DISPATCH, State.OPERATIONAL, 0, "No order is waiting to be sent.")
    waited_ms = (now - min(due)) // MILLISECOND
    text = f"The oldest order has waited {_about(waited_ms)} to be sent."
    return _timed(Component.DISPATCH, waited_ms, text)


def updates(canary: Canary | None, *, sync_seconds: int, now: datetime) -> Finding:
    """Delay of the most overdue poll at available providers; the test order must also have ended in time."""
    next_due = select(func.min(Order.sync_at)).where(Order.provider_id == Provider.id, Order.sync_at.is_not(None))
    well = (*provider_health.callable_now(now), Provider.failures == 0)
    found = db.session.scalars(select(next_due.correlate(Provider).scalar_subquery()).where(*well))
    due = [at for at in found if at is not None]
    if canary is not None and canary.handed_over_at is not None and canary.ended_at is None:
        due.append(canary.handed_over_at + CANARY_ENDS_AFTER + timedelta(seconds=2 * sync_seconds))
    late_ms = max(0, (now - min(due)) // MILLISECOND) if due else 0
    text = "All status updates are on time." if late_ms < 1_000 else f"Updates are {_about(late_ms)} late."
    return _timed(Component.UPDATES, late_ms, text)


def refunds(canary: Canary | None, *, now: datetime) -> Finding:
    """Whether the last test order was refunded, and the last audit found no difference."""
    audit = audit_runs.newest(now=now)
    if audit is not None and not audit.is_sound:
        return Finding(Component.REFUNDS, State.MAJOR, text="The audit of all money found a difference.")
    if canary is not None and canary.ended_at is not None and not canary.has_its_money_back:
        return Finding(Component.REFUNDS, State.MAJOR, text="The charge of the last test order did not come back.")
    if audit is None and (canary is None or canary.ended_at is None):
        return Finding(Component.REFUNDS, State.UNKNOWN, text="No test order has ended and no audit was run yet.")
    took_ms = None if canary is None or canary.ended_at is None else (canary.ended_at - canary.placed_at) // MILLISECOND
    if took_ms is not None and took_ms < 0:
        # The clock was set back in between.
        took_ms = None
    return Finding(Component.REFUNDS, State.OPERATIONAL, took_ms, "Refunds and balances add up.")


def providers(*, now: datetime) -> list[Finding]:
    """Each provider of a visible tool, judged by its regular calls."""
    is_asked = select(Order.id).where(Order.provider_id == Provider.id, Order.sync_at.is_not(None)).exists()
    is_held = or_(Provider.paused_at.is_not(None), Provider.unclear_adds >= provider_health.UNCLEAR_AFTER)
    rows = db.session.execute(
        select(Provider.id, is_held, Provider.failures, or_(is_asked, _answered_lately(now)))
        .where(*components.is_public())
        .order_by(Provider.id)
    )
    return [
        _provider(provider_id, is_paused=bool(held), failures=failures, is_asked=bool(asked))
        for provider_id, held, failures, asked in rows
    ]


def _answered_lately(now: datetime) -> ColumnElement[bool]:
    return and_(Provider.answered_at > now - ASKED_WITHIN, Provider.answered_at <= now)


def _provider(provider_id: int, *, is_paused: bool, failures: int, is_asked: bool) -> Finding:
    state = provider_state(is_paused=is_paused, failures=failures, is_asked=is_asked)
    if failures:
        text = (
            f"{failures} calls in a row had no usable answer."
            if failures > 1
            else "The last call had no usable answer."
        )
    elif is_paused:
        text = "Orders wait: we give this provider nothing new at the moment."
    else:
        text = "Its calls are answered." if is_asked else "There was nothing to ask it."
    return Finding(provider_key(provider_id), state, text=text)


def whole(core: list[Finding], others: list[Finding]) -> Finding:
    """The whole platform as a component of its own, so that its uptime can be counted too."""
    return Finding(Component.PLATFORM, overall((each.state for each in core), (each.state for each in others)))


def _timed(component: Component, took_ms: int, text: str) -> Finding:
    limits = COMPONENTS[component].limits
    assert limits is not None
    return Finding(component, limits.judge(took_ms), took_ms, text)


def _about(milliseconds: int) -> str:
    seconds = milliseconds // 1_000
    if seconds < 120:
        return f"{seconds} {'second' if seconds == 1 else 'seconds'}"
    return f"{seconds // 60} minutes"
