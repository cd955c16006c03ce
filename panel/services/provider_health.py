"""Whether a provider may be called now: the pause an operator sees, and the breaker that backs off by itself."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from panel.db import change, db
from panel.models import Provider
from panel.services import reviews

SILENT_AFTER = 5
FIRST_WAIT_SECONDS = 2
LONGEST_WAIT_SECONDS = 120
RATE_LIMIT_WAIT_SECONDS = 60


def callable_now(now: datetime) -> tuple[Any, ...]:
    """The conditions on `Provider` under which it may be called."""
    return (Provider.paused_at.is_(None), or_(Provider.call_after.is_(None), Provider.call_after <= now))


def answered(provider_id: int) -> None:
    """A call got a proper answer: the breaker closes."""
    db.session.execute(
        update(Provider).where(Provider.id == provider_id, Provider.failures > 0).values(failures=0, call_after=None)
    )


def failed(provider_id: int, *, text: str, now: datetime) -> None:
    """A call got no usable answer: wait longer each time, and tell operators after several in a row."""
    failures = (db.session.scalar(select(Provider.failures).where(Provider.id == provider_id)) or 0) + 1
    seconds = min(FIRST_WAIT_SECONDS * 2 ** min(failures - 1, 10), LONGEST_WAIT_SECONDS)
    db.session.execute(
        update(Provider)
        .where(Provider.id == provider_id)
        .values(failures=failures, call_after=now + timedelta(seconds=seconds))
    )
    if failures == SILENT_AFTER:
        reviews.open_review(
            "provider_silent",
            provider_id=provider_id,
            text=f"The provider has not answered {failures} times in a row, since {now:%Y-%m-%d %H:%M} UTC.",
            raw=text[:200],
            now=now,
        )


def refused(provider_id: int, *, text: str, stops: bool, now: datetime) -> None:
    """The provider itself can't take orders now: pause it until an operator resumes it, or wait a minute."""
    if not stops:
        later = now + timedelta(seconds=RATE_LIMIT_WAIT_SECONDS)
        db.session.execute(update(Provider).where(Provider.id == provider_id).values(call_after=later))
        return
    paused = change(
        update(Provider)
        .where(Provider.id == provider_id, Provider.paused_at.is_(None))
        .values(paused_at=now, pause_reason=text[:200])
    )
    if paused:
        reviews.open_review(
            "provider_paused",
            provider_id=provider_id,
            text=f"The provider was paused at {now:%Y-%m-%d %H:%M:%S} UTC; its orders wait.",
            raw=text[:200],
            now=now,
        )
