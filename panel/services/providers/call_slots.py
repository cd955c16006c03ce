"""Concurrency limit of a provider, over all workers: each running `add` call and status batch holds a slot, a row.

A slot is taken in the transaction that commits the call's intent and released in the one that records its outcome. The
slots of a worker that died are free again when it restarts, at the latest when their lease ends.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from panel.db import db, execute_write, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain.errors import BadInput
from panel.models import CallKind, CallSlot, Provider
from panel.services.providers import health as provider_health

MOST = 32
# A call is over at its timeout; its outcome is recorded within this time.
GRACE_SECONDS = 5.0
CALLS, PROVIDERS = table_of(CallSlot), table_of(Provider)
NOT_A_NUMBER = f"Write a whole number from 1 to {MOST}."


def _callable(rules: Callable[[Any], tuple[Any, ...]]) -> Any:
    """The provider's row if it can be called now; locked on PostgreSQL, so that workers count one after the other."""
    found = select(PROVIDERS.c.calls_at_once, PROVIDERS.c.failures, PROVIDERS.c.unclear_adds)
    found = found.where(PROVIDERS.c.id == bindparam("provider_id"), *rules(bindparam("now")))
    # With `key_share`, orders that are placed in the meantime and refer to this row don't wait.
    return found if db.engine.dialect.name == "sqlite" else found.with_for_update(key_share=True)


_CALLABLE = {
    CallKind.ADD: CompiledStatement(lambda: _callable(provider_health.takes_orders)),
    CallKind.STATUS: CompiledStatement(lambda: _callable(provider_health.callable_now)),
}
_RUNNING = CompiledStatement(
    lambda: select(func.count()).where(
        CALLS.c.provider_id == bindparam("provider_id"),
        CALLS.c.kind == bindparam("kind"),
        CALLS.c.lease_until > bindparam("now"),
    )
)
_RELEASE = CompiledStatement(lambda: delete(CALLS).where(CALLS.c.id == bindparam("slot")))


def read_limit(typed: str) -> int:
    """Parse the limit of concurrent calls. Raises BadInput."""
    typed = typed.strip()
    if not typed.isascii() or not typed.isdigit() or len(typed) > len(str(MOST)) or not 1 <= int(typed) <= MOST:
        raise BadInput(NOT_A_NUMBER, field="calls_at_once")
    return int(typed)


def take(provider_id: int, kind: CallKind, *, worker: str, timeout_seconds: float, now: datetime) -> int | None:
    """Take a slot for one call; None while all are taken, or the provider can't be called.

    While its last call failed, one call at a time shows whether it works again.
    """
    found = _CALLABLE[kind].fetch({"provider_id": provider_id, "now": now})
    if not found:
        return None
    [provider] = found
    limit, failures, unclear_adds = provider
    is_failing = failures > 0 or (kind is CallKind.ADD and unclear_adds > 0)
    [[running]] = _RUNNING.fetch({"provider_id": provider_id, "kind": kind, "now": now})
    if running >= (1 if is_failing else limit):
        return None
    row = {
        "provider_id": provider_id,
        "kind": kind,
        "worker": worker,
        "lease_until": _lease_until(timeout_seconds, now),
    }
    slot: int = db.session.execute(insert(CALLS).returning(CALLS.c.id), row).scalar_one()
    return slot


def renew(slot: int, *, timeout_seconds: float, now: datetime) -> None:
    """Keep the slot for another call."""
    lease_until = _lease_until(timeout_seconds, now)
    db.session.execute(update(CALLS).where(CALLS.c.id == slot).values(lease_until=lease_until))


def release(slot: int) -> None:
    """Free the slot; nothing happens if its lease had ended."""
    _RELEASE.execute([{"slot": slot}])


def release_all(worker: str) -> int:
    """Free the slots of a worker that no longer runs. Returns how many."""
    return execute_write(delete(CALLS).where(CALLS.c.worker == worker))


def lanes(wanted: Mapping[int, int]) -> dict[int, int]:
    """How many concurrent calls each of these providers gets, for its number of due calls."""
    limits = db.session.execute(select(Provider.id, Provider.calls_at_once).where(Provider.id.in_(wanted)))
    return {provider_id: min(limit, wanted[provider_id]) for provider_id, limit in limits}


def purge(*, now: datetime) -> int:
    """Delete the slots of dead workers whose lease has ended. Returns how many."""
    return execute_write(delete(CALLS).where(CALLS.c.lease_until <= now))


def _lease_until(timeout_seconds: float, now: datetime) -> datetime:
    return now + timedelta(seconds=timeout_seconds + GRACE_SECONDS)
