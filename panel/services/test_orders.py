"""The panel's own test orders: how to tell them from customers'.

They are ordinary orders of an ordinary customer, placed and followed by the same services. Whatever counts, lists
or measures customers' orders leaves these out by the conditions below.
"""

from sqlalchemy import ColumnElement, ScalarSelect, Table, or_, select

from panel.db import table_of
from panel.models import Account, Order, Tool, User

# No address has this form, so nobody can sign up with it and no mail can reach it.
CUSTOMER_EMAIL = "canary"
# No catalogue file can name this slug: it has an underscore.
TOOL_SLUG = "canary_order"
PROVIDER_NAME = "canary (test orders)"

_USERS, _TOOLS = table_of(User), table_of(Tool)


def customer_id() -> ScalarSelect[int]:
    """The test customer's number, as part of a statement; NULL before there is one."""
    return select(_USERS.c.id).where(_USERS.c.email == CUSTOMER_EMAIL).scalar_subquery()


def tool_id() -> ScalarSelect[int]:
    """The number of the tool that only test orders are of."""
    return select(_TOOLS.c.id).where(_TOOLS.c.slug == TOOL_SLUG).scalar_subquery()


def provider_id() -> ScalarSelect[int]:
    """The number of the simulated provider that only test orders go to."""
    return select(_TOOLS.c.provider_id).where(_TOOLS.c.slug == TOOL_SLUG).scalar_subquery()


def account_id() -> ScalarSelect[int]:
    """The number of the test customer's account."""
    accounts = table_of(Account)
    return select(accounts.c.id).where(accounts.c.user_id == customer_id()).scalar_subquery()


def is_own_transfer(transfers: Table) -> ColumnElement[bool]:
    """Whether a transfer is of the test customer's money: each of its orders has one end there."""
    own = account_id()
    return or_(transfers.c.from_account_id == own, transfers.c.to_account_id == own)


def is_own_order(order_ids: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the number is that of a test order."""
    orders = table_of(Order)
    return order_ids.in_(select(orders.c.id).where(orders.c.customer_id == customer_id()))
