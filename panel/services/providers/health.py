"""Whether a provider may be called now: the pause an operator sees, and the breaker that backs off by itself."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, null, or_, select, update

from panel.db import db, execute_write, lock_rows
from panel.models import Catalogue, Order, Provider
from panel.providers.base import Accepted, NotSent, Outcome, ProviderSilent, Refused, Unclear
from panel.services import reviews

SILENT_AFTER = 5
WAIT_SECONDS = 2
LONGEST_WAIT_SECONDS = 120
AS_NEW: dict[str, Any] = {"failures": 0, "call_after": None, "unclear_adds": 0, "add_after": None}
NOTED_EVERY = timedelta(minutes=1)
RATE_LIMIT_WAIT_SECONDS = 60
# So many orders in a row without a clear answer, and a provider takes no more; it is tried again after a wait.
UNCLEAR_AFTER = 3
PROBE_AFTER = timedelta(minutes=1)
LONGEST_PROBE_WAIT = timedelta(minutes=15)


def callable_now(now: datetime) -> tuple[Any, ...]:
    """The conditions on `Provider` under which it may be asked about what it has: the breaker is closed."""
    return (or_(Provider.call_after.is_(None), Provider.call_after <= now),)


def takes_orders(now: datetime) -> tuple[Any, ...]:
    """The conditions on `Provider` under which it may be given more to do: as `callable_now`, and not held."""
    may_add = or_(Provider.add_after.is_(None), Provider.add_after <= now)
    return (Provider.paused_at.is_(None), may_add, *callable_now(now))


def heard_of_order(provider_id: int, outcome: Outcome, *, now: datetime) -> None:
    """As `heard`, for an order handed over. Unclear ones are counted apart: good answers to other calls forgive none.

    After several in a row the provider gets no order but one at a time, to see whether it answers again.
    """
    mine = Provider.id == provider_id
    unclear_adds = select(Provider.unclear_adds).where(mine)
    is_unclear = isinstance(outcome, Unclear) and not outcome.is_in_words
    is_counted = not isinstance(outcome, NotSent) and (is_unclear or bool(db.session.scalar(unclear_adds)))
    if is_counted:
        # Before the provider's row, as in imports: the other way around, the two deadlock on PostgreSQL.
        db.session.execute(lock_rows(select(Catalogue.version))).all()
    heard(provider_id, outcome, now=now)
    if not is_counted:
        return
    if not is_unclear:
        cleared = update(Provider).where(mine, Provider.unclear_adds > 0).values(unclear_adds=0, add_after=None)
        said = "It answers clearly again."
        if execute_write(cleared) and reviews.close(
            "provider_unclear", provider_id=provider_id, resolution=said, now=now
        ):
            _tell_open_pages()
        return
    count = (db.session.scalar(unclear_adds) or 0) + 1
    db.session.execute(update(Provider).where(mine).values(unclear_adds=count, add_after=_add_after(count, now=now)))
    if count == UNCLEAR_AFTER:
        _tell_open_pages()
        reviews.open_review(
            "provider_unclear",
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
    return now + min(PROBE_AFTER * (1 << doublings), LONGEST_PROBE_WAIT)


def may_probe(provider_id: int, *, until: datetime, now: datetime) -> bool:
    """Whether an order may go to this provider now. Of one that takes none, until then, only the first caller."""
    unclear = db.session.scalar(select(Provider.unclear_adds).where(Provider.id == provider_id)) or 0
    if unclear < UNCLEAR_AFTER:
        return True
    free = or_(Provider.add_after.is_(None), Provider.add_after <= now)
    return execute_write(update(Provider).where(Provider.id == provider_id, free).values(add_after=until)) == 1


def heard(provider_id: int, outcome: Outcome, *, now: datetime) -> None:
    """What the outcome of a call says about the provider itself. A refusal is an answer, also in unknown words."""
    match outcome:
        case Accepted() | Refused(is_final=True) | Unclear(is_in_words=True):
            answered(provider_id, now=now)
        case Refused(text=text):
            refused(provider_id, text=text, stops=outcome.stops_provider, now=now)
        case NotSent(text=text) | Unclear(text=text):
            failed(provider_id, text=text, now=now)


def silent(provider_id: int, silence: ProviderSilent, *, now: datetime) -> None:
    """A question got no usable answer. A refusal in words is not the provider failing: operators are notified."""
    text = str(silence)[:200]
    if silence.asks_to_wait:
        refused(provider_id, text=text, stops=False, now=now)
    elif silence.is_in_words:
        answered(provider_id, now=now)
        about = "The provider refuses to answer questions about its orders."
        reviews.open_review("provider_silent", provider_id=provider_id, text=about, raw=text, now=now)
    else:
        failed(provider_id, text=text, now=now)


def answered(provider_id: int, *, now: datetime) -> None:
    """A call got a proper answer: the breaker closes. When it came is noted at most once a minute."""
    is_news = or_(
        Provider.failures > 0, Provider.answered_at.is_(None), ~Provider.answered_at.between(now - NOTED_EVERY, now)
    )
    # A wait that the provider asked for is not ended by an answer.
    call_after = case((Provider.failures > 0, null()), else_=Provider.call_after)
    statement = update(Provider).where(Provider.id == provider_id, is_news)
    db.session.execute(statement.values(failures=0, call_after=call_after, answered_at=now))


def failed(provider_id: int, *, text: str, now: datetime) -> None:
    """A call got no usable answer: wait longer each time, and tell operators after several in a row."""
    failures = (db.session.scalar(select(Provider.failures).where(Provider.id == provider_id)) or 0) + 1
    seconds = min(WAIT_SECONDS * failures, LONGEST_WAIT_SECONDS)
    db.session.execute(
        update(Provider)
        .where(Provider.id == provider_id)
        .values(failures=failures, call_after=now + timedelta(seconds=seconds), failed_at=now, failure=text[:200])
    )
    if failures == SILENT_AFTER:
        reviews.open_review(
            "provider_silent",
            provider_id=provider_id,
            text=f"The provider gave no usable answer {failures} times in a row, until {now:%Y-%m-%d %H:%M} UTC.",
            raw=text[:200],
            now=now,
        )


def pause(provider_id: int, *, reason: str, now: datetime) -> bool:
    """Give the provider nothing more to do until it is resumed; whether it was not paused before."""
    if db.session.scalar(select(Provider.paused_at).where(Provider.id == provider_id)) is not None:
        return False
    _tell_open_pages()
    statement = update(Provider).where(Provider.id == provider_id, Provider.paused_at.is_(None))
    return execute_write(statement.values(paused_at=now, pause_reason=reason[:200])) == 1


def resume(provider_id: int, *, now: datetime) -> bool:
    """Hand over again, at once, what waited; whether the provider was paused, or got one order at a time."""
    # Orders, catalogue, provider: the order in which the result of a hand-over locks them.
    waiting = select(Order.id).where(Order.provider_id == provider_id, Order.dispatch_at > now).order_by(Order.id)
    orders = db.session.scalars(lock_rows(waiting)).all()
    _tell_open_pages()
    is_held = or_(Provider.paused_at.is_not(None), Provider.unclear_adds >= UNCLEAR_AFTER)
    statement = update(Provider).where(Provider.id == provider_id, is_held)
    was_held = execute_write(statement.values(paused_at=None, pause_reason="")) == 1
    db.session.execute(update(Provider).where(Provider.id == provider_id).values(**AS_NEW))
    if orders:
        due = update(Order).where(Order.provider_id == provider_id, Order.dispatch_at > now)
        db.session.execute(due.values(dispatch_at=now))
    for kind in ("provider_paused", "provider_unclear"):
        reviews.close(kind, provider_id=provider_id, resolution="The provider was resumed.", now=now)
    return was_held


def _tell_open_pages() -> None:
    """Orders that wait for the provider say so. The catalogue's row comes before the provider's, as in imports."""
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def refused(provider_id: int, *, text: str, stops: bool, now: datetime) -> None:
    """The provider itself can't take orders now: pause it until an operator resumes it, or wait a minute."""
    if not stops:
        later = now + timedelta(seconds=RATE_LIMIT_WAIT_SECONDS)
        db.session.execute(update(Provider).where(Provider.id == provider_id).values(call_after=later))
        return
    if pause(provider_id, reason=text, now=now):
        reviews.open_review(
            "provider_paused",
            provider_id=provider_id,
            text=f"The provider was paused at {now:%Y-%m-%d %H:%M:%S} UTC; its orders wait.",
            raw=text[:200],
            now=now,
        )
