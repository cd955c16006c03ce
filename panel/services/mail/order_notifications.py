"""Mails about ended orders: transitions mark the order, and the sweep queues the mails.

All orders of a customer that ended are combined in one mail, at most every five minutes, so that a hundred orders
don't cause a hundred mails.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, select, update

from panel.db import db, execute_write, lock_rows, table_of
from panel.domain.notification_kinds import Notice, NoticeChannel
from panel.domain.status import Status
from panel.models import Account, MailKind, Order, Terms, User
from panel.services.mail import notifications
from panel.services.mail.notifications import Reader

ORDERS, USERS, TERMS, ACCOUNTS = (table_of(model) for model in (Order, User, Terms, Account))

GAP = timedelta(minutes=5)
CUSTOMERS_A_SWEEP = 100
MAX_IN_A_MAIL = 1_000
MAX_LISTED = 50


@dataclass(frozen=True, slots=True)
class Ended:
    """An ended order with the facts for its mail."""

    id: int
    status: Status
    tool: str
    link: str
    quantity: int
    remains: int
    charge_nanos: int
    returned_nanos: int
    reason: str

    @property
    def delivered(self) -> int:
        return 0 if self.status is Status.CANCELED else self.quantity - self.remains


def customers_with_news(*, now: datetime) -> list[int]:
    """Customers with ended orders and no mail about orders in the last five minutes."""
    marked = select(ORDERS.c.customer_id).where(ORDERS.c.notice_at.is_not(None))
    found = select(USERS.c.id).where(USERS.c.id.in_(marked), _may_be_notified(now))
    return list(db.session.scalars(found.order_by(USERS.c.id).limit(CUSTOMERS_A_SWEEP)))


def _may_be_notified(now: datetime) -> Any:
    return USERS.c.noticed_at.is_(None) | (USERS.c.noticed_at <= now - GAP)


def notify_customer(customer_id: int, *, now: datetime) -> bool:
    """Queue one mail about all ended orders of this customer, and clear the marks. Whether a mail was queued."""
    rows = db.session.execute(lock_rows(_MARKED.where(ORDERS.c.customer_id == customer_id), of=ORDERS)).all()
    if not rows:
        return False
    execute_write(update(ORDERS).where(ORDERS.c.id.in_([row.id for row in rows])).values(notice_at=None))
    to = notifications.find_recipient(customer_id)
    ended = [_ended(row) for row in rows]
    if to is None:
        return False
    queued = [_send(to, channel, ended, now=now) for channel in NoticeChannel]
    if any(queued):
        execute_write(update(USERS).where(USERS.c.id == customer_id).values(noticed_at=now))
    return any(queued)


def _send(to: Reader, channel: NoticeChannel, ended: Sequence[Ended], *, now: datetime) -> bool:
    """Queue one message about the orders whose end this customer wants to know of by this channel."""
    wanted = [order for order in ended if to.wants(Notice(order.status), channel)]
    if not wanted:
        return False
    kinds = {Notice(order.status) for order in wanted}
    # Each order is marked once, so this key is unique.
    key = f"orders:{wanted[0].id}"
    facts = _facts(wanted, to.user_id, at=now)
    return notifications.send(to, channel, kinds, mail=MailKind.ORDERS, key=key, now=now, **facts)


_MARKED = (
    select(
        ORDERS.c.id,
        ORDERS.c.status,
        TERMS.c.name,
        ORDERS.c.link,
        ORDERS.c.quantity,
        ORDERS.c.remains,
        ORDERS.c.charge_nanos,
        ORDERS.c.returned_nanos,
        ORDERS.c.reason,
    )
    .join(TERMS, TERMS.c.id == ORDERS.c.terms_id)
    .where(ORDERS.c.notice_at.is_not(None))
    .order_by(ORDERS.c.id)
    .limit(MAX_IN_A_MAIL)
)


def _ended(row: Row[*tuple[Any, ...]]) -> Ended:
    # An order that is in Refill by now was Completed when it was marked.
    status = Status.COMPLETED if row.status == Status.REFILL else Status(row.status)
    return Ended(row.id, status, *row[2:])


def _facts(ended: Sequence[Ended], customer_id: int, *, at: datetime) -> dict[str, Any]:
    balance = db.session.scalars(select(ACCOUNTS.c.balance_nanos).where(ACCOUNTS.c.user_id == customer_id)).one()
    return {
        "orders": ended[:MAX_LISTED],
        "unlisted": max(0, len(ended) - MAX_LISTED),
        "count_of_orders": len(ended),
        "charge_nanos": sum(order.charge_nanos for order in ended),
        "returned_nanos": sum(order.returned_nanos for order in ended),
        "balance_nanos": balance,
        "at": at,
    }
