"""Payment gateway interface: start a payment, read the gateway's events, look a payment up. Knows no database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from panel.domain.payment import PaymentReport


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """A payment to collect. `reference` is ours, and the idempotency key: asking twice makes one payment page."""

    reference: str
    amount_nanos: int
    currency: str
    title: str
    email: str
    # Where the browser goes afterwards. Its return proves nothing.
    return_url: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """The payment page made for a request: its id at the gateway and its address."""

    id: str
    url: str


@dataclass(frozen=True, slots=True)
class GatewayEvent:
    """A verified event: its id at the gateway, its type in the gateway's words, and what it reports."""

    id: str
    type: str
    report: PaymentReport


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """A payment in the gateway's list: what was paid, what was refunded of it, whether it is disputed, and when."""

    report: PaymentReport
    refunded_nanos: int
    is_disputed: bool
    at: datetime


class ForgedEvent(Exception):
    """An event whose signature is missing, wrong or too old, or a body that isn't an event."""


class GatewayUnavailable(Exception):
    """The gateway refused the call, gave no answer, or one that can't be used. Asking again is safe."""


class PaymentGateway(Protocol):
    """A payment gateway. `account`: the account whose events we accept, where its events name one."""

    is_live: bool
    account: str

    def start(self, wanted: PaymentRequest) -> Checkout:
        """Make a payment page. Raises GatewayUnavailable."""

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        """Verify an event on its raw body, and read it. Raises ForgedEvent."""

    def look_up(self, checkout_id: str) -> PaymentReport | None:
        """Outcome of a payment page; None while it is open. Raises GatewayUnavailable."""

    def payments(self, since: datetime, until: datetime) -> Iterable[ListedPayment] | None:
        """The payments made in this time, each with what was taken back since; None if the gateway keeps no list.

        Raises GatewayUnavailable, also while the list is read.
        """
