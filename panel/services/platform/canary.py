"""Canary test order: placed, sent, synced and settled by the same services as every other order.

It costs one nano-dollar, credited once to the test customer from the adjustments account. It runs, and always ends
Canceled with nothing delivered, so that the money comes back and no sale is booked.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, select, update
from sqlalchemy.orm import InstrumentedAttribute

from panel.db import db
from panel.domain.provider_kind import ProviderKind
from panel.models import AccountKind, ApiKey, Attempt, AttemptKind, AttemptState, Order, Terms, Tool, TransferKind, User
from panel.services import test_orders
from panel.services.accounts.users import NOBODYS_HASH
from panel.services.api import keys as api_keys
from panel.services.catalogue import tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import ledger
from panel.services.money.ledger import Posting
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from panel.services.providers import registry as provider_registry

LINK = "https://example.com/canary"
QUANTITY = 1
# Enough for a thousand open test orders; normally one is open.
FLOAT_NANOS = 1_000
SCENARIO = "undelivered"
# After this time, an open test order is left to the timeouts and the next one is placed.
GIVEN_UP_AFTER = timedelta(hours=1)

# When the provider accepted the order of the enclosing statement.
HANDED_OVER_AT = (
    select(Attempt.answered_at)
    .where(Attempt.order_id == Order.id, Attempt.kind == AttemptKind.ADD, Attempt.state == AttemptState.SENT)
    .limit(1)
    .scalar_subquery()
)


@dataclass(frozen=True)
class Canary:
    """The latest test order and when it reached each step."""

    order_id: int
    placed_at: datetime
    handed_over_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    charge_nanos: int
    returned_nanos: int

    @property
    def has_its_money_back(self) -> bool:
        return self.returned_nanos == self.charge_nanos


def is_prepared() -> bool:
    """Whether the test customer and the test tool exist."""
    return db.session.scalar(select(test_orders.customer_id())) is not None


def prepare(*, key: str, now: datetime) -> None:
    """Create the test customer with money and API key, the test tool, and its simulated provider."""
    provider = provider_registry.find(test_orders.PROVIDER_NAME)
    if provider is None:
        provider = provider_registry.add_provider(test_orders.PROVIDER_NAME, kind=ProviderKind.SIMULATED, now=now)
        db.session.flush()
    user = User(email=test_orders.CUSTOMER_EMAIL, password_hash=NOBODYS_HASH, created_at=now)
    db.session.add(user)
    db.session.flush()
    ledger.open_account(user.id)
    reason = f"{TransferKind.ADJUSTMENT}:canary"
    note = "Money of the panel's own, for its test orders."
    ledger.post(
        [Posting(AccountKind.ADJUSTMENTS, user.id, FLOAT_NANOS, TransferKind.ADJUSTMENT, reason, note=note)], now=now
    )
    db.session.add(
        ApiKey(
            user_id=user.id,
            name="Probes",
            key_hash=api_keys.key_hash(key),
            starts_with=key[: api_keys.SHOWN_CHARACTERS],
            networks="",
            made_at=now,
        )
    )
    _add_tool(provider.id, now=now)


def _add_tool(provider_id: int, *, now: datetime) -> None:
    tool = Tool(
        slug=test_orders.TOOL_SLUG,
        name="Test order",
        category="Test",
        summary="Placed by the panel itself, to measure how it does.",
        unit="units",
        provider_id=provider_id,
        provider_service=SCENARIO,
        is_hidden=True,
        changed_at=now,
    )
    db.session.add(tool)
    db.session.flush()
    terms = Terms(
        tool_id=tool.id,
        version=1,
        price_micros_per_thousand=1,
        minimum=QUANTITY,
        maximum=QUANTITY,
        link_pattern=r"https://example\.com/canary",
        link_example=LINK,
        link_counter_example="https://example.com/",
        link_hint="There is one link only.",
        refill_days=None,
        can_cancel=False,
        since=now,
        name=tool.name,
        category=tool.category,
        unit=tool.unit,
    )
    db.session.add(terms)
    db.session.flush()
    tool.terms_id = terms.id


def key_of(secret: str) -> str:
    """The test customer's API key, derived from the installation's secret so that no worker has to store it."""
    digest = hashlib.sha256(f"canary api key of {secret}".encode()).digest()
    return api_keys.PREFIX + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def use_key(key: str) -> None:
    """Set the test customer's key, since the installation's secret may have changed."""
    mine = select(ApiKey).where(ApiKey.user_id == test_orders.customer_id(), ApiKey.revoked_at.is_(None))
    for kept in db.session.scalars(mine):
        kept.key_hash = api_keys.key_hash(key)


def has_key(key: str) -> bool:
    """Whether this is the test customer's key."""
    found = select(ApiKey.id).where(
        ApiKey.user_id == test_orders.customer_id(), ApiKey.key_hash == api_keys.key_hash(key)
    )
    return db.session.scalar(found) is not None


def check() -> None:
    """Quote a test order like any other; nothing is written."""
    placing.quote(test_orders.TOOL_SLUG, customer_id=None, link=LINK, quantity=str(QUANTITY), of_hidden_tools=True)


def place(*, now: datetime) -> Order:
    """Place the next test order. Raises what `placing.place_order` raises."""
    customer_id = db.session.scalar(select(test_orders.customer_id()))
    assert customer_id is not None, "prepare comes first"
    # Panels that were set up before this scenario existed have another one.
    db.session.execute(update(Tool).where(Tool.slug == test_orders.TOOL_SLUG).values(provider_service=SCENARIO))
    asked = Placing(test_orders.TOOL_SLUG, LINK, str(QUANTITY), request_id=f"canary:{now:%Y%m%dT%H%M%S}")
    return placing.place_order(customer_id, asked=asked, of_hidden_tools=True, now=now)


def offer_and_customer() -> tuple[ToolOffer, int]:
    """The test tool and the test customer; `prepare` comes first."""
    offer, customer_id = tools.find_any(test_orders.TOOL_SLUG), db.session.scalar(select(test_orders.customer_id()))
    assert offer is not None and customer_id is not None, "prepare comes first"
    return offer, customer_id


def is_due(newest: Canary | None, *, every_seconds: int, now: datetime) -> bool:
    """Whether to place the next one: the last has ended, and the interval is over."""
    if newest is None:
        return True
    age = now - newest.placed_at
    if age < timedelta():
        # The clock was ahead when it was placed, so its age is unknown.
        return True
    has_ended = newest.ended_at is not None or age >= GIVEN_UP_AFTER
    return has_ended and age >= timedelta(seconds=every_seconds)


def newest() -> Canary | None:
    """The latest test order, if there is one."""
    row = newest_order(
        Order.id,
        Order.placed_at,
        HANDED_OVER_AT,
        Order.started_at,
        Order.ended_at,
        Order.charge_nanos,
        Order.returned_nanos,
    )
    return None if row is None else Canary(*row)


def newest_order(*columns: ColumnElement[Any] | InstrumentedAttribute[Any]) -> tuple[Any, ...] | None:
    """These columns of the latest test order's row; None before the first."""
    row = db.session.execute(newest_orders(*columns)).first()
    return None if row is None else tuple(row)


def newest_orders(*columns: ColumnElement[Any] | InstrumentedAttribute[Any]) -> Select[*tuple[Any, ...]]:
    """Statement for these columns of the latest test order."""
    newest_first = select(*columns).where(Order.customer_id == test_orders.customer_id()).order_by(Order.id.desc())
    return newest_first.limit(literal_column("1"))
