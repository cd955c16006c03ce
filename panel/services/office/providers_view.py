"""Providers in the office: health, our balance there, pause, public name, key."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CompoundSelect, Select, Text, func, literal_column, select, union_all
from sqlalchemy.orm import InstrumentedAttribute

from panel.db import db, lock_rows
from panel.db.compiled_statements import CompiledStatement
from panel.domain import resale
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import Status
from panel.models import Attempt, Order, Provider, Tool
from panel.services import audit_log
from panel.services.office import queues
from panel.services.providers import call_slots
from panel.services.providers import health as provider_health
from panel.services.providers import registry as provider_registry

LAST_ATTEMPTS = 10
MAX_PUBLIC_NAME_LENGTH = 40
ASK_AGAIN = timedelta(hours=1)
ASK_AGAIN_AFTER_SILENCE = timedelta(minutes=10)
# How far back the newest calls are looked for.
LOOKED_AT = 2_000


@dataclass(frozen=True, slots=True)
class ProviderHealth:
    """A provider with its health."""

    row: Provider
    tools: int
    open_orders: int
    waiting_orders: int
    now: datetime

    @property
    def public_name(self) -> str:
        return provider_registry.public_name(self.row)

    @property
    def is_upstream(self) -> bool:
        return self.row.kind == ProviderKind.PANEL_API

    @property
    def is_called(self) -> bool:
        """Whether our worker calls it; operators deliver the orders of the others."""
        return self.row.kind != ProviderKind.MANUAL

    @property
    def waits_until(self) -> datetime | None:
        """Until when our back-off makes no calls."""
        at = self.row.call_after
        return at if at is not None and at > self.now else None

    @property
    def answered_at(self) -> datetime | None:
        """When it last responded; a time in the future, from a wrong clock, is ignored."""
        known = (self.row.answered_at, self.row.balance_at)
        return max((at for at in known if at is not None and at <= self.now), default=None)

    @property
    def balance(self) -> str:
        """Our last known balance there in its own text; empty if unknown."""
        return self.row.balance if self.balance_at is not None else ""

    @property
    def balance_at(self) -> datetime | None:
        at = self.row.balance_at
        return at if at is not None and at <= self.now else None

    @property
    def balance_words(self) -> str:
        """Text shown instead of an unknown balance."""
        if not self.is_upstream:
            return "None"
        if self.row.balance_at is not None:
            return "No data"
        return "No answer yet" if self.row.balance_problem else "Not asked yet"

    @property
    def takes_no_orders(self) -> bool:
        """Whether it gets only one order at a time, to test whether it responds again."""
        return self.row.unclear_adds >= provider_health.UNCLEAR_AFTER

    @property
    def is_held(self) -> bool:
        """Whether an operator may resume it."""
        return self.row.paused_at is not None or self.takes_no_orders

    @property
    def state(self) -> str:
        """Its health in a few words."""
        if self.row.paused_at is not None:
            return "Paused"
        if self.takes_no_orders:
            return f"Takes no new orders: {self.row.unclear_adds} in a row had no clear answer"
        if self.row.failures:
            return f"{self.row.failures} {'call' if self.row.failures == 1 else 'calls'} in a row failed"
        if self.waits_until is not None:
            return "Waiting: it asked us to slow down"
        if self.row.kind == ProviderKind.MANUAL:
            return "Operators deliver its orders"
        if self.answered_at is not None:
            return "Responding"
        was_asked = self.row.answered_at or self.row.balance_at or self.row.failed_at or self.row.balance_problem
        return "No answer yet" if was_asked else "Not asked yet"

    @property
    def is_well(self) -> bool:
        return self.row.paused_at is None and not self.row.failures and not self.takes_no_orders

    @property
    def margin(self) -> str:
        """Margin of the last catalogue import; empty if unknown."""
        return "" if self.row.margin_millionths is None else resale.shown_margin(self.row.margin_millionths)

    @property
    def exchange(self) -> str:
        """Exchange rate of its currency at the last import; empty if the currencies are the same."""
        nanos = self.row.exchange_nanos
        return "" if nanos in (None, resale.NO_EXCHANGE) else resale.shown_exchange(nanos)

    @property
    def key_fingerprint(self) -> str:
        """A fingerprint of the key that a form was opened on."""
        return provider_registry.key_fingerprint(self.row)


def listed(*, now: datetime) -> list[ProviderHealth]:
    """Every provider, sorted by name."""
    found = _COUNTS.fetch({})
    counts: dict[tuple[str, int], int] = {(what, provider_id): number for what, provider_id, number in found}

    def of(row: Provider, what: str) -> int:
        # No job sends or polls manual orders, so their status is counted.
        return counts.get((f"manual {what}", row.id), counts.get((what, row.id), 0))

    return [
        ProviderHealth(row, of(row, "tools"), of(row, "open"), of(row, "waiting"), now)
        for row in provider_registry.listed()
    ]


def _counts() -> CompoundSelect[str, int, int]:
    """Counts by provider: name, provider's id and number."""
    by_hand = queues.manual_orders()
    is_by_hand = Order.id.in_(select(by_hand.c.id))
    return union_all(
        _count("tools", Tool.provider_id),
        _count("open", Order.provider_id).where(Order.sync_at.is_not(None)),
        _count("waiting", Order.provider_id).where(Order.dispatch_at.is_not(None)),
        _count("manual open", Order.provider_id).where(is_by_hand, Order.status != Status.PENDING),
        _count("manual waiting", Order.provider_id).where(is_by_hand, Order.status == Status.PENDING),
    )


def _count(what: str, provider_id: InstrumentedAttribute[int]) -> Select[str, int, int]:
    return select(literal_column(f"'{what}'", Text), provider_id, func.count()).group_by(provider_id)


_COUNTS = CompiledStatement(_counts)


def find(provider_id: int, *, now: datetime) -> ProviderHealth | None:
    """The provider with this id."""
    return next((each for each in listed(now=now) if each.row.id == provider_id), None)


def last_attempts(provider_id: int) -> Sequence[Attempt]:
    """Its latest attempts with the raw responses, newest first."""
    newest = db.session.scalar(select(func.max(Attempt.id))) or 0
    lately = select(Attempt).where(Attempt.id > newest - LOOKED_AT, Attempt.provider_id == provider_id)
    return db.session.scalars(lately.order_by(Attempt.id.desc()).limit(LAST_ATTEMPTS)).all()


def pause(provider_id: int, *, reason: str, actor: str, now: datetime) -> None:
    """Stop sending orders to the provider. Raises NotFound, BadInput or Refused."""
    reason, provider = audit_log.checked_reason(reason), _known(provider_id)
    if not provider_health.pause(provider_id, reason=reason, now=now):
        raise ActionRefused(f"{provider.name} is paused already.")
    _log("pause", provider, reason, actor=actor, now=now)


def resume(provider_id: int, *, reason: str, actor: str, now: datetime) -> None:
    """Resume sending orders to the provider, starting with those that wait. Raises NotFound, BadInput or Refused."""
    # Not held: orders come before their provider, and it is compared and set in one statement.
    reason, provider = audit_log.checked_reason(reason), _known(provider_id)
    if not provider_health.resume(provider_id, now=now):
        raise ActionRefused(f"{provider.name} is not paused.")
    _log("resume", provider, reason, actor=actor, now=now)


def set_public_name(provider_id: int, name: str, *, actor: str, now: datetime) -> None:
    """Set its name on customers' pages; empty: by its id. Raises NotFound, BadInput or Refused."""
    name, provider = name.strip(), _held(provider_id)
    if len(name) > MAX_PUBLIC_NAME_LENGTH or not name.isprintable():
        raise BadInput(f"Write at most {MAX_PUBLIC_NAME_LENGTH} characters on one line.", field="public_name")
    taken = select(Provider.id).where(Provider.public_name == name, Provider.id != provider_id)
    if name and db.session.scalar(taken) is not None:
        raise ActionRefused("Another provider has this public name.", field="public_name")
    provider.public_name = name
    db.session.flush()
    _log("public name", provider, name or "by its number", actor=actor, now=now)


def set_calls_at_once(provider_id: int, typed: str, *, actor: str, now: datetime) -> None:
    """How many orders, and how many status requests, may be on their way to it. Raises NotFound, BadInput, Refused."""
    limit, provider = call_slots.read_limit(typed), _held(provider_id)
    if provider.kind == ProviderKind.MANUAL:
        raise ActionRefused(f"A provider of the kind {provider.kind} gets no calls.")
    provider.calls_at_once = limit
    db.session.flush()
    _log("calls at once", provider, str(limit), actor=actor, now=now)


def replace_key(provider_id: int, *, encrypted_key: str, fingerprint: str, actor: str, now: datetime) -> None:
    """Replace the API key. Raises NotFound, Refused for a kind without one, StaleForm for an old form."""
    provider = _held(provider_id)
    if provider.kind != ProviderKind.PANEL_API:
        raise ActionRefused(f"A provider of the kind {provider.kind} has no key.")
    if provider_registry.key_fingerprint(provider) != fingerprint:
        raise StaleForm("The key was replaced since you opened this page. Nothing was changed now.")
    provider.encrypted_key, provider.balance_due_at = encrypted_key, now
    db.session.flush()
    _log("replace key", provider, "", actor=actor, now=now)


def add(name: str, *, kind: str, url: str, encrypted_key: str, actor: str, now: datetime) -> Provider:
    """Add a provider. Raises BadInput or Refused."""
    provider = provider_registry.add_provider(name, kind=kind, url=url, encrypted_key=encrypted_key, now=now)
    _log("add", provider, f"kind {kind}", actor=actor, now=now)
    return provider


def request_balance_check(provider_id: int, *, actor: str, now: datetime) -> None:
    """Schedule a balance check at the provider now. Raises NotFound or Refused."""
    provider = _held(provider_id)
    if provider.kind != ProviderKind.PANEL_API:
        raise ActionRefused(f"A provider of the kind {provider.kind} has no balance.")
    provider.balance_due_at = now
    db.session.flush()
    _log("ask balance", provider, "", actor=actor, now=now)


def balances_due(*, now: datetime) -> list[int]:
    """Upstream panels whose balance check is due."""
    due = select(Provider.id).where(Provider.kind == ProviderKind.PANEL_API, Provider.balance_due_at <= now)
    return list(db.session.scalars(due.order_by(Provider.balance_due_at)))


def take_balance(provider_id: int, *, now: datetime) -> bool:
    """Claim the balance check; False if another worker has it."""
    provider = _held(provider_id)
    if provider.balance_due_at is None or provider.balance_due_at > now:
        return False
    provider.balance_due_at = now + ASK_AGAIN_AFTER_SILENCE
    db.session.flush()
    return True


def note_balance(provider_id: int, balance: str, *, now: datetime) -> None:
    """Record the balance; the next check is in an hour."""
    provider = _held(provider_id)
    provider.balance, provider.balance_at, provider.balance_problem = balance, now, ""
    provider.balance_due_at = now + ASK_AGAIN
    db.session.flush()


def note_silence(provider_id: int, problem: str) -> None:
    """Record that there was no usable response: the last balance stays, with the reason why it is old."""
    _held(provider_id).balance_problem = problem[:200]
    db.session.flush()


def _known(provider_id: int) -> Provider:
    provider = db.session.get(Provider, provider_id)
    if provider is None:
        raise NotFound(f"There is no provider {provider_id}.")
    return provider


def _held(provider_id: int) -> Provider:
    statement = lock_rows(select(Provider).where(Provider.id == provider_id))
    provider: Provider | None = db.session.scalar(statement, execution_options={"populate_existing": True})
    if provider is None:
        raise NotFound(f"There is no provider {provider_id}.")
    return provider


def _log(action: str, provider: Provider, detail: str, *, actor: str, now: datetime) -> None:
    audit_log.write(f"providers {action}", actor=actor, subject=f"provider {provider.name}", detail=detail, now=now)
