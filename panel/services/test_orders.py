"""Test orders: the panel's own ones and those of test keys, and conditions to exclude both.

They are ordinary orders of customers who exist for nothing else, placed and processed by the same services. Everything
that counts, lists or measures customers' orders excludes them with the conditions below.
"""

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    Select,
    Table,
    exists,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from panel.db import table_of
from panel.models import Account, ApiTestCustomer, Order, Tool, User

# Not a valid email address, so nobody can sign up with it and no email is sent to it.
CUSTOMER_EMAIL = "canary"
# Not a valid slug in catalogue files, because of the underscore.
TOOL_SLUG = "canary_order"
PROVIDER_NAME = "canary (test orders)"
# Of its own, so that no customer's test orders delay the panel's, which measure the platform.
KEYS_PROVIDER_NAME = "test keys (test orders)"
OWN_PROVIDERS = frozenset({PROVIDER_NAME, KEYS_PROVIDER_NAME})

_USERS, _TOOLS = table_of(User), table_of(Tool)


def customer_id() -> ScalarSelect[int]:
    """Id of the customer of the panel's own test orders as a subquery; NULL if there is none."""
    return select(_USERS.c.id).where(_USERS.c.email == CUSTOMER_EMAIL).scalar_subquery()


def customer_ids() -> CompoundSelect[int]:
    """Ids of all customers who only have test orders, as a subquery."""
    own = select(_USERS.c.id).where(_USERS.c.email == CUSTOMER_EMAIL)
    return own.union_all(select(table_of(ApiTestCustomer).c.user_id))


def with_test_customer(user_id: int) -> CompoundSelect[int]:
    """This customer's id and that of the customer's test orders, as a subquery."""
    tests = table_of(ApiTestCustomer)
    return select(literal(user_id)).union_all(select(tests.c.user_id).where(tests.c.owner_id == user_id))


def is_real(customers: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether the orders of this customer are no test orders."""
    return customers.not_in(customer_ids())


def provider_id() -> ScalarSelect[int]:
    """Id of the simulated provider used only by test orders, as a subquery."""
    return select(_TOOLS.c.provider_id).where(_TOOLS.c.slug == TOOL_SLUG).scalar_subquery()


def _account_ids() -> Select[int]:
    accounts = table_of(Account)
    return select(accounts.c.id).where(accounts.c.user_id.in_(customer_ids()))


def is_transfer(transfers: Table) -> ColumnElement[bool]:
    """Whether a transfer is of test orders: it has an end in such a customer's account, or is about such an order."""
    ends = (transfers.c.from_account_id, transfers.c.to_account_id)
    about = is_order(transfers.c.order_id)
    return func.coalesce(or_(*(end.in_(_account_ids()) for end in ends), about), false())


def is_order(order_ids: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether this is the id of a test order. Looked up for each: a list of all test orders grows every minute."""
    orders = table_of(Order).alias("tested")
    return exists().where(orders.c.id == order_ids, orders.c.customer_id.in_(customer_ids()))
