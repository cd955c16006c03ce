"""Favorite tools of a customer, listed first in the order form."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from panel.db import db, execute_write, table_of, upsert
from panel.models import Favorite
from panel.services import customer_version
from panel.services.catalogue.tools import ToolOffer
from panel.services.closed_accounts import check_open
from panel.services.money import ledger

FAVORITES = table_of(Favorite)


_OF_USER = select(FAVORITES.c.tool_id).where(FAVORITES.c.user_id == bindparam("user_id"))


def tool_ids(user_id: int) -> frozenset[int]:
    """Ids of this user's favorites, including hidden tools."""
    return frozenset(db.session.scalars(_OF_USER, {"user_id": user_id}))


def choose(user_id: int, tool_id: int, *, now: datetime) -> None:
    """Add a favorite (idempotent). Raises Refused for a closed account."""
    ledger.lock_accounts([user_id])
    check_open([user_id])
    chosen = {"user_id": user_id, "tool_id": tool_id, "chosen_at": now}
    if execute_write(upsert(FAVORITES).on_conflict_do_nothing(), [chosen]):
        customer_version.bump([user_id])


def drop(user_id: int, tool_id: int) -> None:
    """Remove a favorite, if it was one."""
    if execute_write(delete(Favorite).where(Favorite.user_id == user_id, Favorite.tool_id == tool_id)):
        customer_version.bump([user_id])


def first(tools: Iterable[ToolOffer], chosen: frozenset[int]) -> tuple[list[ToolOffer], list[ToolOffer]]:
    """The favorites among these tools, and the others, each in the order given."""
    known = list(tools)
    return [tool for tool in known if tool.tool_id in chosen], [tool for tool in known if tool.tool_id not in chosen]
