"""Provider health: manual pause, rate limit wait and circuit breaker with back-off."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case, null, or_, select, update

from panel.db import db, execute_write, lock_rows, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain.review_kind import ReviewKind
from panel.models import Catalogue, Order, Provider
from panel.providers.base import Accepted, NotSent, Outcome, ProviderSilent, Refused, Unclear
from panel.services import reviews

PROVIDERS = table_of(Provider)
SILENT_AFTER = 5
WAIT_SECONDS = 2
MAX_WAIT_SECONDS = 120
AS_NEW: dict[str, Any] = {"failures": 0, "call_after": None, "unclear_adds": 0, "add_after": None}
NOTED_EVERY = timedelta(minutes=1)
RATE_LIMIT_WAIT_SECONDS = 60
# Circuit breaker for new orders: it opens after this many unclear answers in a row, then allows probes with back-off.
UNCLEAR_AFTER = 3
PROBE_AFTER = timedelta(minutes=1)
MAX_PROBE_WAIT = timedelta(minutes=15)


def callable_now(now: Any) -> tuple[Any, ...]:
    """Conditions on `Provider` to query its existing orders: the circuit breaker is closed. `now`: a time, or a bound
    parameter for one."""
    return (or_(Provider.call_after.is_(None), Provider.call_after <= now),)


def takes_orders(now: Any) -> tuple[Any, ...]:
    """Conditions on `Provider` to send it new orders: `callable_now`, and neither paused nor held back."""
    may_add = or_(Provider.add_after.is_(None), Provider.add_after <= now)
    return (Provider.paused_at.is_(None), may_add, *callable_now(now))


def heard_of_order(provider_id: int, outcome: Outcome, *, began: datetime | None = None, now: datetime) -> None:
    """As `heard`, for a new order. Unclear answers are counted separately from those to other calls.

    After several unclear answers in a row, orders are sent one at a time as probes, until one gets a clear answer. The
    calls that were on their way by then don't count.
    """
    mine = Provider.id == provider_id
    is_unclear = isinstance(outcome, Unclear) and not outcome.is_in_words
    is_counted = not isinstance(outcome, NotSent) and (is_unclear or _unclear_adds(provider_id) > 0)
    if is_counted:
        # Lock order: the catalogue before the provider, as in imports. The other way around deadlocks on PostgreSQL.
        db.session.execute(lock_rows(select(Catalogue.version))).all()
    was_on_its_way = is_unclear and _was_on_its_way(provider_id, began)
    heard(provider_id, outcome, began=began, now=now)
    if not is_counted:
        return
    if not is_unclear:
        cleared = update(Provider).where(mine, Provider.unclear_adds > 0).values(unclear_adds=0, add_after=None)
        resolution = "It answers clearly again."
        if execute_write(cleared) and reviews.close(
            ReviewKind.PROVIDER_UNCLEAR, provider_id=provider_id, resolution=resolution, now=now
        ):
            _invalidate_pages()
        return
    count = _unclear_adds(provider_id) + 1
    if count > UNCLEAR_AFTER and was_on_its_way:
        return
    db.session.execute(update(Provider).where(mine).values(unclear_adds=count, add_after=_add_after(count, now=now)))
    if count == UNCLEAR_AFTER:
        _invalidate_pages()
        reviews.open_review(
            ReviewKind.PROVIDER_UNCLEAR,
            provider_id=provider_id,
            text=f"{count} orders in a row got no clear answer from the provider, until {now:%Y-%m-%d %H:%M} UTC. "
            "It gets no more orders but one at a time, to see whether it answers again.",
            raw=outcome.text[:200] if isinstance(outcome, Unclear) else "",
            now=now,
        )


def _add_after(unclear: int, *, now: datetime) -> datetime | None:
    if unclear < UNCLEAR_AFTER:
        return None
    doublings = min(unclear - UNCLEAR_AFTER, 10)
    return now + min(PROBE_AFTER * (1 << doublings), MAX_PROBE_WAIT)


def may_probe(provider_id: int, *, until: datetime, now: datetime) -> bool:
    """Whether an order may be sent to this provider now; while it is held back, only one caller gets to probe it."""
    if _unclear_adds(provider_id) < UNCLEAR_AFTER:
        return True
    free = or_(Provider.add_after.is_(None), Provider.add_after <= now)
    return execute_write(update(Provider).where(Provider.id == provider_id, free).values(add_after=until)) == 1


_UNCLEAR_ADDS = CompiledStatement(
    lambda: select(PROVIDERS.c.unclear_adds).where(PROVIDERS.c.id == bindparam("provider_id"))
)


def _unclear_adds(provider_id: int) -> int:
    found = _UNCLEAR_ADDS.fetch({"provider_id": provider_id})
    return int(found[0][0]) if found else 0


def _was_on_its_way(provider_id: int, began: datetime | None) -> bool:
    """Whether a call that began then was on its way when the provider's last failure was noted."""
    failed_at = db.session.scalar(select(Provider.failed_at).where(Provider.id == provider_id))
    return began is not None and failed_at is not None and began < failed_at


def heard(provider_id: int, outcome: Outcome, *, began: datetime | None = None, now: datetime) -> None:
    """Update the provider's health from the outcome of a call. A refusal counts as an answer, even if unclear."""
    match outcome:
        case Accepted() | Refused(is_final=True) | Unclear(is_in_words=True):
            answered(provider_id, now=now)
        case Refused(text=text):
            refused(provider_id, text=text, stops=outcome.stops_provider, now=now)
        case NotSent(text=text) | Unclear(text=text):
            failed(provider_id, text=text, began=began, now=now)


def silent(provider_id: int, silence: ProviderSilent, *, began: datetime | None = None, now: datetime) -> None:
    """A query got no usable answer. A refusal in words doesn't count as a failure, but opens a review."""
    text = str(silence)[:200]
    if silence.asks_to_wait:
        refused(provider_id, text=text, stops=False, now=now)
    elif silence.is_in_words:
        answered(provider_id, now=now)
        about = "The provider refuses to answer questions about its orders."
        reviews.open_review(ReviewKind.PROVIDER_SILENT, provider_id=provider_id, text=about, raw=text, now=now)
    else:
        failed(provider_id, text=text, began=began, now=now)


def answered(provider_id: int, *, now: datetime) -> None:
    """Record a success and close the circuit breaker. The time is stored at most once a minute."""
    _ANSWERED.execute([{"b_id": provider_id, "b_now": now, "b_before": now - NOTED_EVERY}])


def _answered() -> Any:
    is_news = or_(
        PROVIDERS.c.failures > 0,
        PROVIDERS.c.answered_at.is_(None),
        ~PROVIDERS.c.answered_at.between(bindparam("b_before"), bindparam("b_now")),
    )
    # An answer doesn't end a wait that the provider asked for.
    call_after = case((PROVIDERS.c.failures > 0, null()), else_=PROVIDERS.c.call_after)
    statement = update(PROVIDERS).where(PROVIDERS.c.id == bindparam("b_id"), is_news)
    return statement.values(failures=0, call_after=call_after, answered_at=bindparam("b_now"))


_ANSWERED = CompiledStatement(_answered)


def failed(provider_id: int, *, text: str, began: datetime | None = None, now: datetime) -> None:
    """Record a failure with back-off, and open a review after several in a row.

    Calls that were on their way together and fail together are one failure.
    """
    failures = (db.session.scalar(select(Provider.failures).where(Provider.id == provider_id)) or 0) + 1
    if failures > 1 and _was_on_its_way(provider_id, began):
        return
    seconds = min(WAIT_SECONDS * failures, MAX_WAIT_SECONDS)
    db.session.execute(
        update(Provider)
        .where(Provider.id == provider_id)
        .values(failures=failures, call_after=now + timedelta(seconds=seconds), failed_at=now, failure=text[:200])
    )
    if failures == SILENT_AFTER:
        reviews.open_review(
            ReviewKind.PROVIDER_SILENT,
            provider_id=provider_id,
            text=f"The provider gave no usable answer {failures} times in a row, until {now:%Y-%m-%d %H:%M} UTC.",
            raw=text[:200],
            now=now,
        )


def pause(provider_id: int, *, reason: str, now: datetime) -> bool:
    """Stop sending orders to the provider until it is resumed; returns whether it wasn't paused before."""
    if db.session.scalar(select(Provider.paused_at).where(Provider.id == provider_id)) is not None:
        return False
    _invalidate_pages()
    statement = update(Provider).where(Provider.id == provider_id, Provider.paused_at.is_(None))
    return execute_write(statement.values(paused_at=now, pause_reason=reason[:200])) == 1


def resume(provider_id: int, *, now: datetime) -> bool:
    """Send waiting orders again immediately; returns whether the provider was paused or held back."""
    # Lock order: orders, catalogue, provider, as when recording the outcome of a dispatch.
    waiting = select(Order.id).where(Order.provider_id == provider_id, Order.dispatch_at > now).order_by(Order.id)
    orders = db.session.scalars(lock_rows(waiting)).all()
    _invalidate_pages()
    is_held = or_(Provider.paused_at.is_not(None), Provider.unclear_adds >= UNCLEAR_AFTER)
    statement = update(Provider).where(Provider.id == provider_id, is_held)
    was_held = execute_write(statement.values(paused_at=None, pause_reason="")) == 1
    db.session.execute(update(Provider).where(Provider.id == provider_id).values(**AS_NEW))
    if orders:
        due = update(Order).where(Order.provider_id == provider_id, Order.dispatch_at > now)
        db.session.execute(due.values(dispatch_at=now))
    for kind in (ReviewKind.PROVIDER_PAUSED, ReviewKind.PROVIDER_UNCLEAR):
        reviews.close(kind, provider_id=provider_id, resolution="The provider was resumed.", now=now)
    return was_held


def _invalidate_pages() -> None:
    """Invalidate pages that show orders waiting for the provider. Lock order: the catalogue before the provider."""
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def refused(provider_id: int, *, text: str, stops: bool, now: datetime) -> None:
    """The provider can't take orders now: pause it until an operator resumes it, or wait for its rate limit."""
    if not stops:
        later = now + timedelta(seconds=RATE_LIMIT_WAIT_SECONDS)
        db.session.execute(update(Provider).where(Provider.id == provider_id).values(call_after=later))
        return
    if pause(provider_id, reason=text, now=now):
        reviews.open_review(
            ReviewKind.PROVIDER_PAUSED,
            provider_id=provider_id,
            text=f"The provider was paused at {now:%Y-%m-%d %H:%M:%S} UTC; its orders wait.",
            raw=text[:200],
            now=now,
        )
