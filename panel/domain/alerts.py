"""Alerts of operators: their kinds, and when one is sent, repeated and ended."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from panel.domain.accounts.roles import Action

# An alert that is still true is repeated at the earliest after this, and only for something new.
REPEATED_AFTER = timedelta(hours=1)
# Without anything new, as a reminder.
REMINDED_AFTER = timedelta(hours=24)
# What ends and begins again within this time waits, so that nobody gets mail every minute.
BEGINS_APART = timedelta(minutes=5)


class AlertKind(StrEnum):
    """Alert kinds, most urgent first."""

    AUDIT = "audit"
    PROVIDER_STOPPED = "provider_stopped"
    PROVIDER_SILENT = "provider_silent"
    PROVIDER_BALANCE = "provider_balance"
    UNCONFIRMED = "unconfirmed"
    PAYMENT = "payment"
    REVIEW = "review"
    CATALOGUE = "catalogue"
    DEPOSIT = "deposit"
    TICKET = "ticket"
    APPROVAL = "approval"
    INCIDENT = "incident"

    @property
    def label(self) -> str:
        return FACTS[self].label

    @property
    def action(self) -> Action:
        """The permission that a role needs to get this alert."""
        return FACTS[self].action

    @property
    def path(self) -> str:
        """The office page to act on it."""
        return FACTS[self].path


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """An alert's name in mails and on the page, and where to act on it."""

    label: str
    path: str
    action: Action


FACTS = {
    AlertKind.AUDIT: AlertFacts("The ledger audit found differences", "/office/ledger", Action.MOVE_MONEY),
    AlertKind.PROVIDER_STOPPED: AlertFacts(
        "Providers that get no orders", "/office/providers", Action.MANAGE_PROVIDERS
    ),
    AlertKind.PROVIDER_SILENT: AlertFacts("Providers that don’t answer", "/office/providers", Action.MANAGE_PROVIDERS),
    AlertKind.PROVIDER_BALANCE: AlertFacts(
        "Providers where our balance is low", "/office/providers", Action.MANAGE_PROVIDERS
    ),
    AlertKind.UNCONFIRMED: AlertFacts("Unconfirmed orders", "/office/reviews?kind=unconfirmed", Action.SET_ORDERS),
    AlertKind.PAYMENT: AlertFacts("Payments that need a look", "/office/reviews?kind=payment", Action.MOVE_MONEY),
    AlertKind.REVIEW: AlertFacts("Reviews", "/office/reviews", Action.SET_ORDERS),
    AlertKind.CATALOGUE: AlertFacts(
        "Tools to look at after a catalogue change", "/office/reviews", Action.MANAGE_CATALOGUE
    ),
    AlertKind.DEPOSIT: AlertFacts("Deposits to confirm", "/office/deposits", Action.MOVE_MONEY),
    AlertKind.TICKET: AlertFacts("Tickets waiting for a reply", "/office/tickets", Action.ANSWER_TICKETS),
    AlertKind.APPROVAL: AlertFacts("Approvals waiting", "/office/approvals", Action.MOVE_MONEY),
    AlertKind.INCIDENT: AlertFacts("Proposed incidents", "/office/incidents", Action.RUN_SITE),
}


class AlertChannel(StrEnum):
    """How operators are alerted."""

    EMAIL = "email"
    TELEGRAM = "telegram"
    WEBHOOK = "webhook"

    @property
    def label(self) -> str:
        return self.value.capitalize()


AlertChoice = tuple[AlertKind, AlertChannel]
ALL_CHOICES = frozenset((kind, channel) for kind in AlertKind for channel in AlertChannel)


def parse_off(words: str) -> frozenset[AlertChoice]:
    """Parse what is turned off: `ticket` for every channel, `email:ticket` for one; unknown words are ignored."""
    found = frozenset(words.split())
    return frozenset((kind, channel) for kind, channel in ALL_CHOICES if found & {kind.value, f"{channel}:{kind}"})


def serialize_off(off: frozenset[AlertChoice]) -> str:
    words = []
    for kind in AlertKind:
        channels = [channel for channel in AlertChannel if (kind, channel) in off]
        words += [kind.value] if len(channels) == len(AlertChannel) else [f"{each}:{kind}" for each in channels]
    return " ".join(words)


class AlertStep(StrEnum):
    """Step of an alert that a message reports: it began, continues or ended."""

    BEGAN = "began"
    CONTINUES = "continues"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class AlertFound:
    """Current state of a condition: how many there are, since when the newest, and which, in words."""

    count: int
    newest_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlertState:
    """Notified state: since when it holds (None: it doesn't), when operators were last notified, and of how many."""

    began_at: datetime | None = None
    notified_at: datetime | None = None
    notified_count: int = 0


def next_step(state: AlertState, found: AlertFound, *, now: datetime) -> tuple[AlertState, AlertStep | None]:
    """The state after this look, and the step to notify operators of, if any."""
    if not found.count:
        ended = None if state.began_at is None else AlertStep.ENDED
        return replace(state, began_at=None, notified_count=0), ended
    sent = AlertState(state.began_at or now, now, found.count)
    if state.began_at is None:
        waits = not _has_passed(BEGINS_APART, state.notified_at, now=now)
        return (state, None) if waits else (sent, AlertStep.BEGAN)
    is_newer = found.newest_at is not None and state.notified_at is not None and found.newest_at > state.notified_at
    has_news = is_newer or found.count > state.notified_count
    if _has_passed(REPEATED_AFTER if has_news else REMINDED_AFTER, state.notified_at, now=now):
        return sent, AlertStep.CONTINUES
    return replace(state, notified_count=min(state.notified_count, found.count)), None


def _has_passed(span: timedelta, since: datetime | None, *, now: datetime) -> bool:
    # A time still to come is from a clock that was wrong.
    return since is None or not since <= now < since + span
