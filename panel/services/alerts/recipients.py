"""Who is alerted: staff with a confirmed email, each without the kinds that they turned off or have no role for."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, update

from panel.db import db, execute_write
from panel.domain import alerts
from panel.domain.accounts import roles
from panel.domain.accounts.roles import Role
from panel.domain.alerts import AlertKind
from panel.models import User


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address, and the kinds that don't go there."""

    user_id: int
    email: str
    off: frozenset[AlertKind]


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
    return [Recipient(user_id, email, _off(Role(role), off)) for user_id, email, role, off in rows]


def choices(user_id: int) -> dict[AlertKind, bool]:
    """The kinds that this person's role gets, and whether each is wanted."""
    role, off = db.session.execute(select(User.role, User.alerts_off).where(User.id == user_id)).one()
    turned_off = alerts.parse_kinds(off)
    return {kind: kind not in turned_off for kind in AlertKind if roles.may(Role(role), kind.action)}


def _off(role: Role, turned_off: str) -> frozenset[AlertKind]:
    """The kinds that this person turned off, or has no role for."""
    without_role = {kind for kind in AlertKind if not roles.may(role, kind.action)}
    return alerts.parse_kinds(turned_off) | without_role


def choose(user_id: int, *, wanted: Collection[AlertKind]) -> None:
    """Set the wanted kinds. What this person's role doesn't get stays as it was."""
    row = db.session.execute(select(User.role, User.alerts_off).where(User.id == user_id)).one()
    out_of_reach = {kind for kind in AlertKind if not roles.may(Role(row.role), kind.action)}
    kept = alerts.parse_kinds(row.alerts_off) & out_of_reach
    off = alerts.serialize_kinds(frozenset(AlertKind) - frozenset(wanted) - out_of_reach | kept)
    execute_write(update(User).where(User.id == user_id).values(alerts_off=off))
