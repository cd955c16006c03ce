"""Provider interface: the calls every adapter has, and their possible outcomes. Knows nothing of the database.

A call that must not happen twice has one of four outcomes. Only NotSent and Refused prove that the provider did not
accept the order; Unclear proves nothing and is never followed by a second call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from panel.domain.provider_report import Report


@dataclass(frozen=True)
class NewOrder:
    """Request to deliver an order."""

    order_id: int
    service: str
    link: str
    # None where the customer enters none.
    quantity: int | None
    # The values of its own fields, by their names in the API.
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class StatusRequest:
    """Status request for an order. `stopped_at`: when its cancellation was requested, if it was."""

    order_id: int
    provider_order_id: str
    service: str
    quantity: int
    stopped_at: datetime | None = None


@dataclass(frozen=True)
class Accepted:
    """The provider accepted it under this id."""

    provider_id: str


@dataclass(frozen=True)
class Refused:
    """A refusal in known words. Final: it concerns this order. Not final: it concerns the provider.

    `has_no_service`: final here, since the provider doesn't offer the service; another provider may.
    """

    text: str
    is_final: bool
    stops_provider: bool = False
    has_no_service: bool = False


@dataclass(frozen=True)
class NotSent:
    """The connection was refused or failed before a byte of the order left: nothing was sent."""

    text: str


@dataclass(frozen=True)
class Unclear:
    """Any other outcome: the provider may or may not have accepted it.

    `is_in_words`: the provider refused it in unknown words. It does answer, so other orders don't have to wait.
    """

    text: str
    is_in_words: bool = False


Outcome = Accepted | Refused | NotSent | Unclear


class ProviderSilent(Exception):
    """A repeatable request got no usable answer.

    `is_in_words`: the provider answered with an error, so it works. `concerns_provider`: the order asked about is not
    the cause. `asks_to_wait`: it wants fewer calls.
    """

    def __init__(
        self, text: str, *, is_in_words: bool = False, concerns_provider: bool = False, asks_to_wait: bool = False
    ) -> None:
        super().__init__(text)
        self.is_in_words, self.concerns_provider, self.asks_to_wait = is_in_words, concerns_provider, asks_to_wait


class ProviderClient(Protocol):
    """A provider. Calls may take as long as its timeout and must happen outside transactions."""

    def add(self, order: NewOrder, *, now: datetime) -> Outcome: ...

    def status(self, asks: Sequence[StatusRequest], *, now: datetime) -> Mapping[int, Report]:
        """Status reports by our order id; orders without news are left out. Raises ProviderSilent."""
        ...

    def refill(self, ask: StatusRequest, *, now: datetime) -> Outcome: ...

    def refill_status(self, refill_id: str, *, now: datetime) -> object:
        """The provider's unparsed status of the refill. Raises ProviderSilent."""
        ...

    def cancel(self, ask: StatusRequest, *, now: datetime) -> Outcome: ...
