"""What every provider can be asked, and the answers that are possible. Nothing here knows the database.

A call that must not happen twice answers with one of four outcomes. Only NotSent and Refused prove that
the provider did not take the order; Unclear proves nothing and is never followed by a second call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from panel.domain.provider_report import Report


@dataclass(frozen=True)
class NewOrder:
    """What a provider must know to deliver an order."""

    order_id: int
    service: str
    link: str
    quantity: int


@dataclass(frozen=True)
class Ask:
    """A question about an order the provider has. `stopped_at`: since when it was asked to stop, if it was."""

    order_id: int
    provider_order_id: str
    service: str
    quantity: int
    stopped_at: datetime | None = None


@dataclass(frozen=True)
class Accepted:
    """The provider took it, under this id of its own."""

    provider_id: str


@dataclass(frozen=True)
class Refused:
    """The provider said no in words we know. Final: about this order. Not final: about the provider itself."""

    text: str
    is_final: bool
    stops_provider: bool = False


@dataclass(frozen=True)
class NotSent:
    """The connection was refused or failed before a byte of the order left: nothing was sent."""

    text: str


@dataclass(frozen=True)
class Unclear:
    """Anything else. The provider may or may not have taken it.

    `is_in_words`: the provider itself refused it, in words we don't know. It answers, so nobody else has to wait.
    """

    text: str
    is_in_words: bool = False


Outcome = Accepted | Refused | NotSent | Unclear


class ProviderSilent(Exception):
    """A question that may be asked again got no usable answer.

    `is_in_words`: the provider refused to answer, so it works. `concerns_provider`: what was asked about is not to
    blame. `asks_to_wait`: it wants fewer calls.
    """

    def __init__(
        self, text: str, *, is_in_words: bool = False, concerns_provider: bool = False, asks_to_wait: bool = False
    ) -> None:
        super().__init__(text)
        self.is_in_words, self.concerns_provider, self.asks_to_wait = is_in_words, concerns_provider, asks_to_wait


class Provider(Protocol):
    """Who delivers. Calls may take as long as the provider's deadline and must happen outside transactions."""

    def add(self, order: NewOrder, *, now: datetime) -> Outcome: ...

    def status(self, asks: Sequence[Ask], *, now: datetime) -> Mapping[int, Report]:
        """Reports by our order id; a missing one is no news. Raises ProviderSilent."""
        ...

    def refill(self, ask: Ask, *, now: datetime) -> Outcome: ...

    def refill_status(self, refill_id: str, *, now: datetime) -> object:
        """The provider's word for the refill, unread. Raises ProviderSilent."""
        ...

    def cancel(self, ask: Ask, *, now: datetime) -> Outcome: ...
