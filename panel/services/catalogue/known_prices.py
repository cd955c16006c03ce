"""Prices that customers know from before their price list changed, until they are mailed about that."""

from collections.abc import Collection, Sequence

from sqlalchemy import Select, delete, exists, insert, literal, or_, select

from panel.db import db, execute_write, table_of
from panel.db.compiled_statements import in_list
from panel.domain.accounts.roles import Role
from panel.models import GroupMember, KnownPriceList, KnownPrices, User
from panel.services.catalogue import customer_prices
from panel.services.catalogue.customer_prices import PriceList

KNOWN, LISTS, MEMBERS = table_of(KnownPrices), table_of(KnownPriceList), table_of(GroupMember)


def note(user_ids: Collection[int], before: PriceList) -> None:
    """Keep the price list that these customers had before a change, unless an earlier change waits for its mail.

    The caller has locked the catalogue, as the round of mails that takes them has: so no change is lost between two.
    """
    if user_ids:
        wanted = select(User.id).where(in_list(table_of(User).c.id, "user_ids"))
        _keep(wanted, before, user_ids=list(user_ids))


def note_group(group_id: int, before: PriceList) -> None:
    """As `note`, for all who are in this group: one list, and a short row for each, written by one statement."""
    _keep(select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == group_id), before)


def _keep(customers: Select[int], before: PriceList, **values: object) -> None:
    known = exists().where(KNOWN.c.user_id == customers.selected_columns[0])
    if db.session.execute(customers.where(~known).limit(1), values).first() is None:
        return
    made = insert(LISTS).values(prices=customer_prices.as_json(before)).returning(LISTS.c.id)
    list_id = literal(db.session.scalar(made), LISTS.c.id.type)
    rows = customers.where(~known).add_columns(list_id)
    db.session.execute(insert(KNOWN).from_select(["user_id", "list_id"], rows), values)


def is_any() -> bool:
    return db.session.scalar(select(KNOWN.c.user_id).limit(1)) is not None


def take(user_ids: Sequence[int]) -> dict[int, PriceList]:
    """The price lists that these customers know; from now on they know their current ones."""
    mine = KNOWN.c.user_id.in_(user_ids)
    taken = db.session.execute(delete(KNOWN).where(mine).returning(KNOWN.c.user_id, KNOWN.c.list_id)).all()
    ids = {row[1] for row in taken}
    lists = {
        row[0]: customer_prices.from_json(row[1])
        for row in db.session.execute(select(LISTS.c.id, LISTS.c.prices).where(LISTS.c.id.in_(ids)))
    }
    _forget_unused_lists()
    return {user_id: lists[list_id] for user_id, list_id in taken}


def forget_all() -> None:
    """Delete all: before the first comparison of terms nobody is mailed about changes."""
    execute_write(delete(KNOWN))
    _forget_unused_lists()


def _forget_unused_lists() -> None:
    execute_write(delete(LISTS).where(~exists().where(KNOWN.c.list_id == LISTS.c.id)))


def forget_accounts_without_mails() -> None:
    """Delete those of accounts that get no such mails: closed ones, and the staff's."""
    without_mails = select(User.id).where(or_(User.closed_at.is_not(None), User.role != Role.CUSTOMER))
    execute_write(delete(KNOWN).where(KNOWN.c.user_id.in_(without_mails)))
    _forget_unused_lists()
