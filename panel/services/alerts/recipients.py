"""Who is alerted, and how: staff with a confirmed email, each without what they turned off or have no role for."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update

from panel.db import db, execute_write
from panel.domain import alerts
from panel.domain.accounts import roles
from panel.domain.accounts.roles import Role
from panel.domain.alerts import ALL_CHOICES, AlertChannel, AlertChoice, AlertKind
from panel.models import User


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address, and which kinds don't go to which of the person's channels."""

    user_id: int
    email: str
    off: frozenset[AlertChoice]

    def wants(self, kind: AlertKind, channel: AlertChannel) -> bool:
        return (kind, channel) not in self.off


def all_operators() -> list[Recipient]:
    rows = db.session.execute(
        select(User.id, User.email, User.role, User.alerts_off)
        .where(
            User.is_staff,
            User.email_confirmed_at.is_not(None),
            User.disabled_at.is_(None),
            User.closed_at.is_(None),
        )
        .order_by(User.id)
    )
    return [
        Recipient(user_id, email, alerts.parse_off(off) | _out_of_reach(Role(role)))
        for user_id, email, role, off in rows
    ]


def choices(user_id: int) -> dict[AlertKind, dict[AlertChannel, bool]]:
    """The kinds that this person's role gets, and by which channels each is wanted."""
    role, off = db.session.execute(select(User.role, User.alerts_off).where(User.id == user_id)).one()
    turned_off = alerts.parse_off(off)
    return {
        kind: {channel: (kind, channel) not in turned_off for channel in AlertChannel}
        for kind in AlertKind
        if roles.may(Role(role), kind.action)
    }


def choose(
    user_id: int, *, wanted: Collection[AlertChoice], channels: Collection[AlertChannel] = tuple(AlertChannel)
) -> None:
    """Set what is wanted of these channels. Other channels, and what the role doesn't get, stay as they were."""
    row = db.session.execute(select(User.role, User.alerts_off).where(User.id == user_id)).one()
    left = {choice for choice in ALL_CHOICES if choice[1] not in channels} | _out_of_reach(Role(row.role))
    off = (ALL_CHOICES - frozenset(wanted) - left) | (alerts.parse_off(row.alerts_off) & left)
    execute_write(update(User).where(User.id == user_id).values(alerts_off=alerts.serialize_off(off)))


def _out_of_reach(role: Role) -> frozenset[AlertChoice]:
    return frozenset(choice for choice in ALL_CHOICES if not roles.may(role, choice[0].action))
