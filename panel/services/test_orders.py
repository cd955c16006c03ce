"""The panel's own test orders, and conditions to exclude them.

They are ordinary orders of an ordinary customer, placed and processed by the same services. Everything that counts,
lists or measures customers' orders excludes them with the conditions below.
"""

from sqlalchemy import ColumnElement, ScalarSelect, Table, or_, select

from panel.db import table_of
from panel.models import Account, Order, Tool, User

# Not a valid email address, so nobody can sign up with it and no email is sent to it.
CUSTOMER_EMAIL = "canary"
# Not a valid slug in catalogue files, because of the underscore.
TOOL_SLUG = "canary_order"
PROVIDER_NAME = "canary (test orders)"

_USERS, _TOOLS = table_of(User), table_of(Tool)


def customer_id() -> ScalarSelect[int]:
    """The test customer's id as a subquery; NULL if there is none."""
    return select(_USERS.c.id).where(_USERS.c.email == CUSTOMER_EMAIL).scalar_subquery()


def tool_id() -> ScalarSelect[int]:
    """Id of the tool used only by test orders, as a subquery."""
    return select(_TOOLS.c.id).where(_TOOLS.c.slug == TOOL_SLUG).scalar_subquery()


def provider_id() -> ScalarSelect[int]:
    """Id of the simulated provider used only by test orders, as a subquery."""
    return select(_TOOLS.c.provider_id).where(_TOOLS.c.slug == TOOL_SLUG).scalar_subquery()


def account_id() -> ScalarSelect[int]:
    """Id of the test customer's account, as a subquery."""
    accounts = table_of(Account)
    return select(accounts.c.id).where(accounts.c.user_id == customer_id()).scalar_subquery()


def is_own_transfer(transfers: Table) -> ColumnElement[bool]:
    """Whether a transfer belongs to the test customer: all of them have one end in that account."""
    own = account_id()
    return or_(transfers.c.from_account_id == own, transfers.c.to_account_id == own)


def is_own_order(order_ids: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether this is the id of a test order."""
    orders = table_of(Order)
    return order_ids.in_(select(orders.c.id).where(orders.c.customer_id == customer_id()))
