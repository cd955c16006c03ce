"""Who is alerted: operators with a confirmed email, each without the kinds that they turned off."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update

from panel.db import db, execute_write
from panel.domain import alerts
from panel.domain.alerts import AlertKind
from panel.models import User


@dataclass(frozen=True, slots=True)
class Recipient:
    """An operator's address, and the kinds turned off."""

    user_id: int
    email: str
    off: frozenset[AlertKind]


def all_operators() -> list[Recipient]:
    rows = db.session.execute(
        select(User.id, User.email, User.alerts_off)
        .where(
            User.is_operator,
            User.email_confirmed_at.is_not(None),
            User.disabled_at.is_(None),
            User.closed_at.is_(None),
        )
        .order_by(User.id)
    )
    return [Recipient(user_id, email, alerts.parse_kinds(off)) for user_id, email, off in rows]


def choices(user_id: int) -> dict[AlertKind, bool]:
    """The kinds, and whether this operator wants them."""
    off = alerts.parse_kinds(db.session.scalars(select(User.alerts_off).where(User.id == user_id)).one())
    return {kind: kind not in off for kind in AlertKind}


def choose(user_id: int, *, wanted: Collection[AlertKind]) -> None:
    """Set the wanted kinds."""
    off = alerts.serialize_kinds(frozenset(AlertKind) - frozenset(wanted))
    execute_write(update(User).where(User.id == user_id).values(alerts_off=off))
