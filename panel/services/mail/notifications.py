"""Email notifications to customers: confirmed addresses only, without the kinds they turned off."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import ColumnElement, Row, bindparam, case, func, null, select, update

from panel import app_context
from panel.db import db, execute_write, lock_rows, table_of
from panel.domain import notification_kinds as kinds_of_notices
from panel.domain.notification_kinds import Notice
from panel.domain.refill import RefillState
from panel.domain.request_id import OF_API
from panel.models import MailKind, Order, User
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates

USERS = table_of(User)
ORDERS = table_of(Order)
_SALT = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Reader:
    """Recipient of notifications: the address, and the kinds turned off."""

    user_id: int
    email: str
    off: frozenset[Notice]


def find_recipient(user_id: int) -> Reader | None:
    """The recipient, if the address is confirmed and the account is neither closed nor disabled."""
    row = db.session.execute(
        select(USERS.c.id, USERS.c.email, USERS.c.notices_off).where(
            USERS.c.id == user_id,
            USERS.c.email_confirmed_at.is_not(None),
            USERS.c.closed_at.is_(None),
            USERS.c.disabled_at.is_(None),
        )
    ).first()
    return None if row is None else _reader(row)


def _reader(row: Row[int, str, str]) -> Reader:
    return Reader(row.id, row.email, kinds_of_notices.parse_kinds(row.notices_off))


def notify(user_id: int, kind: Notice, *, key: str, now: datetime, **facts: Any) -> bool:
    """Queue the mail `templates/mails/<kind>.txt` once per key, unless this kind is turned off."""
    to = find_recipient(user_id)
    if to is None or kind in to.off:
        return False
    return send(to, [kind], mail=MailKind(kind), key=key, now=now, **facts)


def send(to: Reader, kinds: Collection[Notice], *, mail: MailKind, key: str, now: datetime, **facts: Any) -> bool:
    """Queue a mail about these kinds, with an unsubscribe link."""
    unsubscribe = unsubscribe_path(to.user_id, kinds)
    written = mail_templates.write(mail, unsubscribe=unsubscribe, **facts)
    return outbox.queue(to.email, written, user_id=to.user_id, key=key, unsubscribe=unsubscribe, now=now)


def notify_refill_ended(refill_id: int, state: RefillState, *, order_id: int, reason: str, now: datetime) -> None:
    """Notify about a finished refill. Not for API orders: the reseller's program handles those."""
    customer_id = db.session.scalar(select(ORDERS.c.customer_id).where(ORDERS.c.id == order_id, ~came_through_api()))
    if customer_id is not None:
        is_completed = state is RefillState.COMPLETED
        facts = {"order_id": order_id, "is_completed": is_completed, "reason": reason}
        notify(customer_id, Notice.REFILL, key=f"refill:{refill_id}:ended", now=now, **facts)


def notice_due_at(name: str) -> ColumnElement[datetime]:
    """What `orders.notice_at` becomes when an order ends at the moment bound under this name: costs no statement.

    None bound there leaves it as it is; an order that came through the API gets no mark.
    """
    at = bindparam(name, type_=ORDERS.c.notice_at.type)
    return case((came_through_api(), null()), else_=func.coalesce(at, ORDERS.c.notice_at))


def came_through_api() -> ColumnElement[bool]:
    return ORDERS.c.request_id.startswith(OF_API, autoescape=True)


def preferences(user_id: int) -> dict[Notice, bool]:
    """The kinds this user wants."""
    off = kinds_of_notices.parse_kinds(
        db.session.scalars(select(USERS.c.notices_off).where(USERS.c.id == user_id)).one()
    )
    return {kind: kind not in off for kind in Notice}


def set_preferences(user_id: int, *, wanted: Collection[Notice]) -> None:
    """Set the wanted kinds."""
    off = kinds_of_notices.serialize_kinds(frozenset(Notice) - frozenset(wanted))
    execute_write(update(USERS).where(USERS.c.id == user_id).values(notices_off=off))


def switch_off(user_id: int, kinds: Collection[Notice]) -> None:
    """Turn off these kinds."""
    kept = db.session.scalar(lock_rows(select(USERS.c.notices_off).where(USERS.c.id == user_id)))
    if kept is not None:
        off = kinds_of_notices.parse_kinds(kept) | frozenset(kinds)
        execute_write(
            update(USERS).where(USERS.c.id == user_id).values(notices_off=kinds_of_notices.serialize_kinds(off))
        )


def unsubscribe_path(user_id: int, kinds: Collection[Notice]) -> str:
    """Signed unsubscribe path for these kinds and this user."""
    return f"/unsubscribe/{_signer().dumps([user_id, *sorted(kinds)])}"


def read_unsubscribe(token: str) -> tuple[int, frozenset[Notice]] | None:
    """User and kinds of an unsubscribe token; None if it is invalid."""
    try:
        user_id, *words = _signer().loads(token)
    except (BadSignature, ValueError):
        return None
    return int(user_id), kinds_of_notices.parse_kinds(" ".join(words))


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(app_context.secret_key(), salt=_SALT)
