"""Notifications to customers, by email to confirmed addresses and to linked Telegram chats, of the chosen kinds."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import ColumnElement, bindparam, case, func, null, select, update

from panel import app_context
from panel.db import db, execute_write, lock_rows, table_of
from panel.domain import notification_kinds as kinds_of_notices
from panel.domain.notification_kinds import Notice, NoticeChannel
from panel.domain.refill import RefillState
from panel.domain.request_id import OF_API
from panel.models import MailKind, Order, User
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates
from panel.services.telegram import outbox as telegram_outbox

USERS = table_of(User)
ORDERS = table_of(Order)
ALL_KINDS = frozenset(Notice)
_SALT = "unsubscribe"


@dataclass(frozen=True, slots=True)
class Reader:
    """Recipient of notifications: the address, and the kinds turned off by channel.

    An address that isn't confirmed and a missing chat get no kind at all.
    """

    user_id: int
    email: str
    off: Mapping[NoticeChannel, frozenset[Notice]]
    has_confirmed_email: bool

    def wants(self, kind: Notice, channel: NoticeChannel) -> bool:
        return kind not in self.off[channel]


def find_recipient(user_id: int) -> Reader | None:
    """The recipient, unless the account is closed or disabled, or has neither a confirmed address nor a chat."""
    row = db.session.execute(
        select(
            *(USERS.c.id, USERS.c.email, USERS.c.email_confirmed_at, USERS.c.notices_off),
            *(USERS.c.telegram_chat, USERS.c.telegram_blocked_at, USERS.c.telegram_off),
        ).where(USERS.c.id == user_id, USERS.c.closed_at.is_(None), USERS.c.disabled_at.is_(None))
    ).first()
    if row is None:
        return None
    has_email, has_chat = row.email_confirmed_at is not None, row.telegram_chat and row.telegram_blocked_at is None
    off = {
        NoticeChannel.EMAIL: kinds_of_notices.parse_kinds(row.notices_off) if has_email else ALL_KINDS,
        NoticeChannel.TELEGRAM: kinds_of_notices.parse_kinds(row.telegram_off) if has_chat else ALL_KINDS,
    }
    return Reader(row.id, row.email, off, has_email) if has_email or has_chat else None


def notify(user_id: int, kind: Notice, *, key: str, now: datetime, **facts: Any) -> bool:
    """Queue `templates/mails/<kind>.txt` once per key, by each channel for which this kind is on."""
    to = find_recipient(user_id)
    if to is None:
        return False
    channels = [channel for channel in NoticeChannel if to.wants(kind, channel)]
    queued = [send(to, each, [kind], mail=MailKind(kind), key=key, now=now, **facts) for each in channels]
    return any(queued)


def send(
    to: Reader,
    channel: NoticeChannel,
    kinds: Collection[Notice],
    *,
    mail: MailKind,
    key: str,
    now: datetime,
    **facts: Any,
) -> bool:
    """Queue a message about these kinds: an email with an unsubscribe link, or its text to the Telegram chat."""
    unsubscribe = unsubscribe_path(to.user_id, kinds)
    written = mail_templates.write(mail, unsubscribe=unsubscribe, **facts)
    if channel is NoticeChannel.TELEGRAM:
        return telegram_outbox.queue(to.user_id, written.as_message, key=key, now=now)
    return outbox.queue(to.email, written, user_id=to.user_id, key=key, unsubscribe=unsubscribe, now=now)


def notify_refill_ended(refill_id: int, state: RefillState, *, order_id: int, reason: str, now: datetime) -> None:
    """Notify about a finished refill. Not for API orders: the reseller's program handles those."""
    customer_id = db.session.scalar(select(ORDERS.c.customer_id).where(ORDERS.c.id == order_id, ~came_through_api()))
    if customer_id is not None:
        is_completed = state is RefillState.COMPLETED
        facts = {"order_id": order_id, "is_completed": is_completed, "reason": reason}
        notify(customer_id, Notice.REFILL, key=f"refill:{refill_id}:ended", now=now, **facts)


def notice_due_at(name: str) -> ColumnElement[datetime]:
    """New value of `orders.notice_at` when an order ends at the moment bound under this name: costs no statement.

    None bound there leaves it as it is; an order that came through the API gets no mark.
    """
    at = bindparam(name, type_=ORDERS.c.notice_at.type)
    return case((came_through_api(), null()), else_=func.coalesce(at, ORDERS.c.notice_at))


def came_through_api() -> ColumnElement[bool]:
    return ORDERS.c.request_id.startswith(OF_API, autoescape=True)


def preferences(user_id: int) -> dict[Notice, bool]:
    """The kinds this user wants by email."""
    off = kinds_of_notices.parse_kinds(
        db.session.scalars(select(USERS.c.notices_off).where(USERS.c.id == user_id)).one()
    )
    return {kind: kind not in off for kind in Notice}


def set_preferences(user_id: int, *, wanted: Collection[Notice]) -> None:
    """Set the kinds wanted by email."""
    off = kinds_of_notices.serialize_kinds(ALL_KINDS - frozenset(wanted))
    execute_write(update(USERS).where(USERS.c.id == user_id).values(notices_off=off))


def telegram_preferences(user_id: int) -> dict[Notice, bool]:
    """The kinds this user wants by Telegram."""
    off = kinds_of_notices.parse_kinds(
        db.session.scalars(select(USERS.c.telegram_off).where(USERS.c.id == user_id)).one()
    )
    return {kind: kind not in off for kind in Notice}


def set_telegram_preferences(user_id: int, *, wanted: Collection[Notice]) -> None:
    """Set the kinds wanted by Telegram."""
    off = kinds_of_notices.serialize_kinds(ALL_KINDS - frozenset(wanted))
    execute_write(update(USERS).where(USERS.c.id == user_id).values(telegram_off=off))


def switch_off(user_id: int, kinds: Collection[Notice]) -> None:
    """Turn off emails of these kinds."""
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
