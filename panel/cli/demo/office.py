"""The demo's orders that need a person: so that most queues of the office have an entry."""

from datetime import datetime, timedelta

from panel.domain.money import NANOS_PER_UNIT
from panel.domain.provider_kind import ProviderKind
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import User
from panel.providers.base import StatusRequest, Unclear
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import deposits
from panel.services.orders import cancellations, dispatch, sync
from panel.services.orders import manual as manual_orders
from panel.services.orders import placing as order_placing
from panel.services.orders.placing import Placing

TIMES_MINIMUM = 2
LEASE_SECONDS = 60
NO_ANSWER = "504 Gateway Time-out: the provider's server gave no answer."


# The history leaves these times to the orders below, since numbers of orders and times of placing run in step.
LATE_HOURS = (31, 26)
UNCONFIRMED_HOURS, STOPPING_HOURS = 5, 3


def fill_late(customer: User, offers: list[ToolOffer], *, now: datetime) -> None:
    """Two orders for operators that should have begun or ended long ago."""
    by_hand = next(offer for offer in offers if offer.provider_kind == ProviderKind.MANUAL)
    stuck, late = (
        _place(customer, by_hand, hours=LATE_HOURS[0], now=now),
        _place(customer, by_hand, hours=LATE_HOURS[1], now=now),
    )
    _move(stuck, Status.PROCESSING, remains=None, hours=30, now=now)
    _move(stuck, Status.IN_PROGRESS, remains=5, hours=28, now=now)
    # A report that does not fit: nothing is changed, and it opens a review.
    ask = StatusRequest(late, "", by_hand.provider_service, by_hand.minimum * TIMES_MINIMUM)
    sync.apply_reports([ask], {late: Report("Awaiting moderation", "n/a")}, now=now - timedelta(hours=1))


def fill_recent(customer: User, offers: list[ToolOffer], *, now: datetime) -> None:
    """An unconfirmed order, one with a cancellation request, and an unconfirmed deposit."""
    by_hand = next(offer for offer in offers if offer.provider_kind == ProviderKind.MANUAL)
    simulated = next(offer for offer in offers if offer.provider_service == "usual" and offer is not by_hand)
    unconfirmed = _place(customer, simulated, hours=UNCONFIRMED_HOURS, now=now)
    _leave_unconfirmed(unconfirmed, simulated, at=now - timedelta(hours=UNCONFIRMED_HOURS))
    running = _place(customer, by_hand, hours=STOPPING_HOURS, now=now)
    _move(running, Status.IN_PROGRESS, remains=4, hours=2, now=now)
    cancellations.request_cancellation(running, customer_id=customer.id, now=now - timedelta(hours=1))
    deposits.request_deposit(customer.id, amount_nanos=25 * NANOS_PER_UNIT, now=now - timedelta(hours=2))


def _place(customer: User, offer: ToolOffer, *, hours: int, now: datetime) -> int:
    quantity = min(offer.minimum * TIMES_MINIMUM, offer.maximum)
    placing = Placing(offer.slug, offer.link_example, str(quantity), order_placing.new_request_id())
    return order_placing.place_order(customer.id, asked=placing, now=now - timedelta(hours=hours)).id


def _move(order_id: int, to: Status, *, remains: int | None, hours: int, now: datetime) -> None:
    at = now - timedelta(hours=hours)
    manual_orders.set_order(order_id, to, remains=remains, start_count=None, reason=None, now=at)


def _leave_unconfirmed(order_id: int, offer: ToolOffer, *, at: datetime) -> None:
    """Make an order unconfirmed: sent to the provider, without a response."""
    [taken] = dispatch.open_attempts(offer.provider_id, most=1, lease_seconds=LEASE_SECONDS, now=at)
    if taken.order.order_id != order_id:
        raise ValueError("another order waits at this provider")
    dispatch.record_outcome(taken.attempt_id, Unclear(NO_ANSWER), now=at)
