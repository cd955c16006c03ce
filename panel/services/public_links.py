"""Public links: a customer shares one order with anyone who has its unguessable address.

The token has 128 random bits. It is found by its hash, and kept encrypted so that its customer can copy it again. A
link is read from the database with each request, so it ends as soon as it is revoked.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, or_, select

from panel.assets.build_id import digest
from panel.db import db, execute_write
from panel.domain.errors import NotFound
from panel.domain.status import Status
from panel.models import Order, OrderEvent, PublicLink, Terms, User
from panel.security import encryption
from panel.services.closed_accounts import check_open
from panel.services.money import ledger
from panel.settings import Settings

TOKEN_BYTES = 16
MAX_STATUS_CHANGES = 50
# A link shows nothing while its customer's account is disabled or closed.
_IS_OPEN = (User.disabled_at.is_(None), User.closed_at.is_(None))
VERSIONS = (
    select(PublicLink.token_hash, Order.version, PublicLink.shows_money)
    .join_from(PublicLink, Order, Order.id == PublicLink.order_id)
    .join(User, User.id == Order.customer_id)
    .where(*_IS_OPEN)
)


@dataclass(frozen=True, slots=True)
class OwnPublicLink:
    """An order's public link, as its customer sees it."""

    token: str
    shows_money: bool
    made_at: datetime


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A status that the order moved to, and when."""

    status: Status
    at: datetime


@dataclass(frozen=True, slots=True)
class PublicOrder:
    """An order as its public link shows it. Nothing else of the customer is read."""

    id: int
    tool_name: str
    unit: str
    status: Status
    quantity: int
    remains: int
    start_count: int | None
    placed_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    # None unless the customer chose to show the money.
    money: "PublicOrderMoney | None"
    # The ETag of what is shown.
    shown: str
    token_hash: str

    @property
    def delivered(self) -> int:
        return self.quantity - self.remains

    @property
    def status_changes(self) -> list[StatusChange]:
        """The newest status changes, newest first."""
        is_change = or_(OrderEvent.old_status.is_(None), OrderEvent.old_status != OrderEvent.status)
        rows = db.session.execute(
            select(OrderEvent.status, OrderEvent.at)
            .where(OrderEvent.order_id == self.id, is_change)
            .order_by(OrderEvent.id.desc())
            .limit(MAX_STATUS_CHANGES)
        )
        return [StatusChange(Status(status), at) for status, at in rows]


@dataclass(frozen=True, slots=True)
class PublicOrderMoney:
    """How the order's charge divides."""

    charge_nanos: int
    kept_nanos: int
    returned_nanos: int

    @property
    def held_nanos(self) -> int:
        return self.charge_nanos - self.kept_nanos - self.returned_nanos


def own(order_id: int, *, settings: Settings) -> OwnPublicLink | None:
    """The public link of this order, if it has one. Whose order it is, the caller has checked."""
    link = _of(order_id)
    if link is None:
        return None
    return OwnPublicLink(encryption.decrypt(link.encrypted_token, settings=settings), link.shows_money, link.made_at)


def share(order_id: int, *, customer_id: int, shows_money: bool, settings: Settings, now: datetime) -> None:
    """Make the order's public link, or change what the present one shows; its address stays.

    Raises NotFound if it isn't this customer's order, and Refused for a closed account.
    """
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    _check_own(order_id, customer_id=customer_id)
    link = _of(order_id)
    if link is not None:
        link.shows_money = shows_money
        return
    token = secrets.token_urlsafe(TOKEN_BYTES)
    ciphertext = encryption.encrypt(token, settings=settings)
    db.session.add(
        PublicLink(
            order_id=order_id,
            token_hash=token_hash(token),
            encrypted_token=ciphertext,
            shows_money=shows_money,
            made_at=now,
        )
    )
    db.session.flush()


def revoke(order_id: int, *, customer_id: int) -> None:
    """Revoke the order's public link for good; a new one has another address. Raises NotFound as `share` does."""
    ledger.lock_accounts([customer_id])
    _check_own(order_id, customer_id=customer_id)
    execute_write(delete(PublicLink).where(PublicLink.order_id == order_id))


def revoke_all(customer_id: int) -> None:
    """Revoke every public link of this customer, whose account is locked."""
    execute_write(
        delete(PublicLink).where(PublicLink.order_id.in_(select(Order.id).where(Order.customer_id == customer_id)))
    )


def find(token: str) -> PublicOrder | None:
    """The order of the link with this token; None for any other token, and while the account is disabled."""
    row = db.session.execute(
        select(Order, Terms.name, Terms.unit, PublicLink.shows_money, PublicLink.token_hash)
        .join_from(PublicLink, Order, Order.id == PublicLink.order_id)
        .join(Terms, Terms.id == Order.terms_id)
        .join(User, User.id == Order.customer_id)
        .where(PublicLink.token_hash == token_hash(token), *_IS_OPEN)
    ).first()
    if row is None:
        return None
    order, tool_name, unit, shows_money, hashed = row
    money = PublicOrderMoney(order.charge_nanos, order.kept_nanos, order.returned_nanos) if shows_money else None
    return PublicOrder(
        id=order.id,
        tool_name=tool_name,
        unit=unit,
        status=Status(order.status),
        quantity=order.quantity,
        remains=order.remains,
        start_count=order.start_count,
        placed_at=order.placed_at,
        started_at=order.started_at,
        ended_at=order.ended_at,
        money=money,
        shown=version_of(hashed, order.version, shows_money),
        token_hash=hashed,
    )


def version_of(hashed: str, order_version: int, shows_money: bool) -> str:
    """The version of what a link shows, which open pages listen for; from a row of VERSIONS."""
    shown = f"{digest()}|{hashed}|{order_version}|{bool(shows_money)}"
    return hashlib.blake2b(shown.encode(), digest_size=16).hexdigest()


def token_hash(token: str) -> str:
    """Hash of a token, as stored. Tokens are random, so a plain hash is enough."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _of(order_id: int) -> PublicLink | None:
    return db.session.scalar(select(PublicLink).where(PublicLink.order_id == order_id))


def _check_own(order_id: int, *, customer_id: int) -> None:
    if db.session.scalar(select(Order.id).where(Order.id == order_id, Order.customer_id == customer_id)) is None:
        raise NotFound("This order doesn’t exist.")
