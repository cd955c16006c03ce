"""The demo's 90 days of orders: what several customers ordered and how it went, the same for every start.

Everything comes from one seeded generator, as times before now, so the counts are equal in each run.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from panel.domain import links
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import Status
from panel.models import EventSource, User
from panel.services.accounts import users
from panel.services.accounts.users import NOBODYS_HASH
from panel.services.catalogue.tools import ToolOffer
from panel.services.orders.past_orders import PastOrder, PastRefill, PastStep

DAYS = 90
# The newest history is older than the demo's other orders, which need a person or are moving.
SETTLED_BEFORE = timedelta(hours=32)
QUANTITIES = (10, 20, 25, 50, 100, 200, 250, 500, 1_000, 1_500, 2_000, 2_500, 4_000, 5_000)
MAX_CHARGE_NANOS = 15 * 10**9
CANCEL_REASON = "The link could not be reached. It may be private."
# Of 1,000 orders, how many end Canceled, Partial, and how many of the Completed ones get a refill where there is one.
CANCELED, PARTIAL, REFILLED = 45, 45, 130
# Whose orders these are: the address says that they belong to the demo, and nobody can log in to them.
PEOPLE = ("harbor-letters", "attic-records", "north-pottery", "slow-cinema", "field-kitchen", "paper-museum")
JOINED_EVERY = timedelta(days=8)


@dataclass(frozen=True)
class Buyer:
    """A customer of the demo, since when, and the site that the links lead to."""

    user_id: int
    since: datetime
    host: str


def add_people(customer: User, *, now: datetime) -> list[Buyer]:
    """Add the demo's customers, including the one with a password."""
    buyers = [Buyer(customer.id, customer.created_at, "studio.example.com")]
    for number, name in enumerate(PEOPLE):
        since = now - timedelta(days=DAYS) + JOINED_EVERY * number
        user = users.add_user(f"demo-{name}@example.com", password_hash=NOBODYS_HASH, now=since)
        buyers.append(Buyer(user.id, since, f"{name}.example.com"))
    return buyers


def plan(buyers: Sequence[Buyer], offers: Sequence[ToolOffer], *, now: datetime) -> list[PastOrder]:
    """Every order of the history, oldest first. The shop grows: twice as many orders a day in the last month."""
    draw = random.Random("ninety days of orders")  # noqa: S311
    sold = [offer for offer in offers if not offer.slug.startswith("always-ends-") and _is_plain(offer)]
    made: list[PastOrder] = []
    for days_ago in range(DAYS - 1, -1, -1):
        count = draw.randint(20, 28) if days_ago < 30 else draw.randint(6, 11)
        for back in sorted((draw.random() for _ in range(count)), reverse=True):
            placed_at = now - timedelta(days=days_ago + back)
            there = [buyer for buyer in buyers if buyer.since < placed_at - timedelta(hours=6)]
            if there:
                made.append(_order(draw, draw.choice(there), draw.choice(sold), len(made), placed_at, now=now))
    return made


def _order(
    draw: random.Random, buyer: Buyer, offer: ToolOffer, number: int, placed_at: datetime, *, now: datetime
) -> PastOrder:
    quantity = draw.choice([each for each in QUANTITIES if _is_usual(offer, each)] or [offer.minimum])
    by_hand = offer.provider_kind == ProviderKind.MANUAL
    handed_over = None if by_hand else placed_at + timedelta(seconds=draw.uniform(1, 4))
    steps = _steps(draw, offer, quantity, placed_at, handed_over)
    refill = None
    if steps[-1].to is Status.COMPLETED and offer.can_refill and draw.randrange(1_000) < REFILLED:
        refill = _refill(draw, steps[-1].at, latest=now - SETTLED_BEFORE)
        steps += _refill_steps(refill, steps[-1]) if refill else []
    return PastOrder(
        customer_id=buyer.user_id,
        offer=offer,
        link=_link(draw, offer, buyer),
        quantity=quantity,
        request_id=f"demo:history:{number}",
        placed_at=placed_at,
        handed_over_at=handed_over,
        provider_order_id=f"demo-{number}-{int(handed_over.timestamp() * 1_000)}" if handed_over else None,
        steps=tuple(steps),
        refill=refill,
    )


def _is_plain(offer: ToolOffer) -> bool:
    """Whether link and quantity are all that an order of it needs."""
    return offer.form.takes_quantity and not any(field.is_required for field in offer.form.fields)


def _is_usual(offer: ToolOffer, quantity: int) -> bool:
    return offer.minimum <= quantity <= offer.maximum and offer.charge_nanos(quantity) <= MAX_CHARGE_NANOS


def _link(draw: random.Random, offer: ToolOffer, buyer: Buyer) -> str:
    """A link of this customer that the tool takes: its example at another host, with another number."""
    example = offer.link_example
    link = example.replace(urlsplit(example).netloc, buyer.host, 1)
    link = re.sub(r"[0-9]+$", str(draw.randint(1, 60)), link)
    return links.check_link(link, pattern=offer.link_pattern, example=example, hint=offer.link_hint)


def _steps(
    draw: random.Random, offer: ToolOffer, quantity: int, placed_at: datetime, handed_over: datetime | None
) -> list[PastStep]:
    """The order's course: sent, started, counted on its way, and ended."""
    # A manual order takes hours where a provider takes minutes.
    pace = 1.0 if handed_over else 12.0
    source = EventSource.PROVIDER if handed_over else EventSource.US
    steps = [PastStep(handed_over, None, source=EventSource.US, text="Sent to the provider.")] if handed_over else []
    at = (handed_over or placed_at) + timedelta(seconds=draw.uniform(15, 150) * pace)
    steps.append(PastStep(at, Status.PROCESSING, quantity, source=source))
    fate = draw.randrange(1_000)
    at += timedelta(seconds=draw.uniform(40, 420) * pace)
    if fate < CANCELED:
        return [*steps, PastStep(at, Status.CANCELED, quantity, source=source, text=CANCEL_REASON)]
    left = draw.randint(1, max(quantity // 2, 1)) if fate < CANCELED + PARTIAL else 0
    left = min(left, quantity - 1)
    start_count = draw.randint(40, 5_000)
    # Some tools are quicker than others, and a large order takes longer than a small one.
    minutes = (6 + offer.tool_id * 3) * draw.uniform(0.6, 1.9) * (1 + quantity / 4_000) * pace
    steps.append(PastStep(at, Status.IN_PROGRESS, quantity, start_count, source=source))
    shares = sorted(draw.uniform(0.1, 0.95) for _ in range(draw.randint(1, 3)))
    for share in shares:
        remains = max(quantity - int((quantity - left) * share), 1)
        if remains != steps[-1].remains:
            count_at = at + timedelta(minutes=minutes * share)
            steps.append(PastStep(count_at, Status.IN_PROGRESS, remains, start_count, source=source))
    end = Status.PARTIAL if left else Status.COMPLETED
    steps.append(PastStep(at + timedelta(minutes=minutes), end, left, start_count, source=source))
    return steps


def _refill(draw: random.Random, completed_at: datetime, *, latest: datetime) -> PastRefill | None:
    """A refill asked for some days later; None where it would not have ended in time."""
    asked_at = completed_at + timedelta(hours=draw.uniform(12, 120))
    accepted_at = asked_at + timedelta(seconds=draw.uniform(1, 20))
    running_at = accepted_at + timedelta(seconds=draw.uniform(60, 600))
    refill = PastRefill(asked_at, accepted_at, running_at, running_at + timedelta(minutes=draw.uniform(20, 300)))
    return refill if refill.ended_at < latest else None


def _refill_steps(refill: PastRefill, last: PastStep) -> list[PastStep]:
    return [
        PastStep(refill.asked_at, Status.REFILL, last.remains, last.start_count, EventSource.YOU, "Refill requested."),
        PastStep(refill.accepted_at, None, source=EventSource.US, text="The refill was sent to the provider."),
        PastStep(refill.running_at, None, text="The refill is running."),
        PastStep(
            refill.ended_at,
            Status.COMPLETED,
            last.remains,
            last.start_count,
            EventSource.US,
            "The refill was completed.",
        ),
    ]
