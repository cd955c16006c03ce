"""Test customers: whose orders the test keys of an owner place, for test money and on the simulator.

One exists for each owner with a test key. It is an ordinary customer who can't log in, and is excluded from all figures
(`services/test_orders.py`). Its orders go to a simulated provider for test keys, not to the tool's provider.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select

from panel.db import db
from panel.domain import money
from panel.domain.errors import BadField, NotFound, TooManyTries
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import Status
from panel.models import AccountKind, ApiTestCustomer, Order, Terms, TransferKind, User
from panel.providers.simulated import SCENARIOS
from panel.services import test_orders
from panel.services.accounts.users import NOBODYS_HASH
from panel.services.catalogue.routes import Destination
from panel.services.money import ledger
from panel.services.money.ledger import Posting
from panel.services.providers import registry as provider_registry

# The field of `add` that says how a test order goes.
SCENARIO = "scenario"
BALANCE_NANOS = 10_000 * money.NANOS_PER_UNIT
# Open orders of all test keys of an owner: the simulator works on each of them, beside the orders of customers.
MAX_OPEN_ORDERS = 1_000
RETRY_AFTER_SECONDS = 60
NOTE = "Test money, for orders of test keys."


@dataclass(frozen=True, slots=True)
class ShownTestOrder:
    """A test order as the page of API keys lists it."""

    id: int
    tool_name: str
    status: str
    quantity: int
    remains: int
    charge_nanos: int
    returned_nanos: int
    placed_at: datetime

    @property
    def shown_status(self) -> Status:
        return Status(self.status)


@dataclass(frozen=True, slots=True)
class OwnTestOrders:
    """Test balance and newest test orders, for the owner of a test key."""

    balance_nanos: int
    orders: list[ShownTestOrder]


def of_owner(owner_id: int) -> int | None:
    """Id of the owner's test customer; None before the first test key."""
    return db.session.scalar(select(ApiTestCustomer.user_id).where(ApiTestCustomer.owner_id == owner_id))


def ensure(owner_id: int, *, now: datetime) -> int:
    """The owner's test customer, created with test money if there is none. The owner's account is locked."""
    if (found := of_owner(owner_id)) is not None:
        return found
    _simulator(now=now)
    user = User(email=f"test orders of customer {owner_id}", password_hash=NOBODYS_HASH, created_at=now)
    db.session.add(user)
    db.session.flush()
    ledger.open_account(user.id)
    db.session.execute(insert(ApiTestCustomer), [{"user_id": user.id, "owner_id": owner_id}])
    set_balance(user.id, BALANCE_NANOS, now=now)
    return user.id


def reset_balance(owner_id: int, *, now: datetime) -> None:
    """Set the test balance to its first amount. Raises NotFound if the owner never had a test key."""
    user_id = of_owner(owner_id)
    if user_id is None:
        raise NotFound("You have no test key.")
    ledger.lock_accounts([user_id])
    set_balance(user_id, BALANCE_NANOS, now=now)


def set_balance(user_id: int, nanos: int, *, now: datetime) -> None:
    """Give the test customer this much test money. The account is locked."""
    change = nanos - ledger.balance_nanos(user_id)
    ends: tuple[int | AccountKind, int | AccountKind] = (AccountKind.ADJUSTMENTS, user_id)
    source, target = ends if change > 0 else ends[::-1]
    if change:
        reason = f"{TransferKind.ADJUSTMENT}:test:{secrets.token_hex(8)}"
        kind = TransferKind.ADJUSTMENT
        ledger.post([Posting(source, target, abs(change), kind, reason, note=NOTE)], now=now)


def destination(scenario: str | None, *, now: datetime) -> Destination:
    """Where a test order goes. Raises BadField for a scenario that the simulator doesn't have."""
    if scenario is not None and scenario not in SCENARIOS:
        raise BadField(f"The scenario is one of {', '.join(SCENARIOS)}.", field=SCENARIO)
    return Destination(_simulator(now=now), scenario or SCENARIOS[0], ProviderKind.SIMULATED)


def check_open_orders(user_id: int) -> None:
    """Raises TooManyTries while this test customer, whose account is locked, has MAX_OPEN_ORDERS open orders."""
    is_open = Order.status.in_([status for status in Status if status.is_open])
    open_ids = select(Order.id).where(Order.customer_id == user_id, is_open).limit(MAX_OPEN_ORDERS)
    if db.session.scalar(select(func.count()).select_from(open_ids.subquery())) == MAX_OPEN_ORDERS:
        raise TooManyTries(
            f"You have {MAX_OPEN_ORDERS:,} open test orders. Wait until some have ended, or cancel them.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )


def shown(owner_id: int, *, most: int) -> OwnTestOrders | None:
    """The test balance and the newest orders; None before the first test key."""
    user_id = of_owner(owner_id)
    if user_id is None:
        return None
    columns = (Order.status, Order.quantity, Order.remains, Order.charge_nanos, Order.returned_nanos, Order.placed_at)
    newest = (
        select(Order.id, Terms.name, *columns)
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.customer_id == user_id)
        .order_by(Order.id.desc())
        .limit(most)
    )
    return OwnTestOrders(ledger.balance_nanos(user_id), [ShownTestOrder(*row) for row in db.session.execute(newest)])


def _simulator(*, now: datetime) -> int:
    """Id of the simulated provider for test keys."""
    found = provider_registry.find(test_orders.KEYS_PROVIDER_NAME)
    if found is None:
        found = provider_registry.add_provider(test_orders.KEYS_PROVIDER_NAME, kind=ProviderKind.SIMULATED, now=now)
        db.session.flush()
    return found.id
