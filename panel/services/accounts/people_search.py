"""Search for people by a part of their email: all whose email begins with it, and the newest that have it elsewhere."""

from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, or_, select, union_all

from panel.db import db, table_of
from panel.db.id_search import newest_id
from panel.domain.accounts import email_address
from panel.models import User

# A part inside an email has no index: it is searched in this many of the newest accounts.
SEARCHED_ACCOUNTS = 10_000
# At most this many of all accounts whose email begins with the text.
MOST_BEGINNING = 1_000
USERS = table_of(User)
_LAST = "\U0010ffff"


def ids_of(text: str) -> CompoundSelect[Any]:
    """Ids of the accounts with this text in their email."""
    forms = email_address.search_forms(text)
    begin = or_(*(_begins(form) for form in forms))
    beginning = select(USERS.c.id).where(begin).order_by(USERS.c.email).limit(MOST_BEGINNING).subquery()
    inside = or_(*(USERS.c.email.contains(form, autoescape=True) for form in forms))
    return union_all(
        select(beginning.c.id), select(USERS.c.id).where(inside, USERS.c.id > newest_id(USERS) - SEARCHED_ACCOUNTS)
    )


def is_part_searched() -> bool:
    """Whether there are accounts in which a part inside an email isn't searched."""
    return newest_id(USERS) > SEARCHED_ACCOUNTS


def _begins(form: str) -> ColumnElement[bool]:
    """That an email begins with this, as a range of the index by bytes."""
    if db.engine.dialect.name == "sqlite":
        return and_(USERS.c.email >= form, USERS.c.email < form + _LAST)
    # The operators of text_pattern_ops; a LIKE with a bound parameter would not use the index.
    return and_(
        USERS.c.email.op("~>=~", is_comparison=True)(form), USERS.c.email.op("~<~", is_comparison=True)(form + _LAST)
    )
