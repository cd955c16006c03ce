"""Prices that customers know from before their price list changed, until they are mailed about that."""

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, or_, select

from panel.db import db, execute_write, table_of, upsert
from panel.domain.accounts.roles import Role
from panel.models import KnownPrices, User
from panel.services.catalogue import customer_prices
from panel.services.catalogue.customer_prices import PriceList

KNOWN = table_of(KnownPrices)


def note(user_ids: Iterable[int], before: PriceList) -> None:
    """Keep the price list that these customers had before a change, unless an earlier change waits for its mail.

    The caller has locked the catalogue, as the round of mails that takes them has: so no change is lost between two.
    """
    rows = [{"user_id": user_id, "prices": customer_prices.as_json(before)} for user_id in user_ids]
    if rows:
        db.session.execute(upsert(KNOWN).on_conflict_do_nothing(index_elements=[KNOWN.c.user_id]), rows)


def is_any() -> bool:
    return db.session.scalar(select(KNOWN.c.user_id).limit(1)) is not None


def take(user_ids: Sequence[int]) -> dict[int, PriceList]:
    """The price lists that these customers know; from now on they know their current ones."""
    mine = KNOWN.c.user_id.in_(user_ids)
    rows = db.session.execute(delete(KNOWN).where(mine).returning(KNOWN.c.user_id, KNOWN.c.prices)).all()
    return {row[0]: customer_prices.from_json(row[1]) for row in rows}


def forget_all() -> None:
    """Delete all: before the first comparison of terms nobody is mailed about changes."""
    execute_write(delete(KNOWN))


def forget_accounts_without_mails() -> None:
    """Delete those of accounts that get no such mails: closed ones, and the staff's."""
    without_mails = select(User.id).where(or_(User.closed_at.is_not(None), User.role != Role.CUSTOMER))
    execute_write(delete(KNOWN).where(KNOWN.c.user_id.in_(without_mails)))
