"""Placing an order: checks, the charge, and what repeating the request does."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import (
    BadInput,
    BadLink,
    BadQuantity,
    InsufficientBalance,
    QuantityTooLarge,
    QuantityTooSmall,
    RequestIdUsed,
    TermsChanged,
    UnknownTool,
)
from panel.domain.status import Status
from panel.models import Order, OrderEvent, Tool, Transfer, User
from panel.services.money import audit, ledger
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from tests.support.factories import LINK, NOON, a_customer, a_tool, new_terms, reload

pytestmark = pytest.mark.both_engines


def _asked(ordered: Tool, **changes: object) -> Placing:
    words: dict[str, object] = {"tool": ordered.slug, "link": LINK, "quantity": "1000", "request_id": "request-0001"}
    return Placing(**words | changes)  # type: ignore[arg-type]


def _place(customer: User, asked: Placing) -> Order:
    with transaction():
        return placing.place_order(customer.id, asked=asked, now=NOON)


def test_order_is_charged_held_counted_and_announced() -> None:
    customer, tool = a_customer("10"), a_tool(price="0.90")
    version = reload(customer).state_version

    order = _place(customer, _asked(tool))

    assert (order.status, order.remains, order.charge_nanos) == (Status.PENDING, 1_000, 900_000_000)
    assert (ledger.balance_nanos(customer.id), ledger.held_nanos(customer.id)) == (9_100_000_000, 900_000_000)
    event = db.session.scalars(select(OrderEvent).where(OrderEvent.order_id == order.id)).one()
    assert (event.kind, event.source, event.status) == ("placed", "you", Status.PENDING)
    assert reload(customer).state_version > version
    assert audit.audit().differences == ()


def test_order_keeps_the_terms_of_the_moment_it_was_placed() -> None:
    customer, tool = a_customer("10"), a_tool(price="0.90")
    order = _place(customer, _asked(tool))

    new_terms(tool, price_micros_per_thousand=5_000_000)

    assert (reload(order).price_micros_per_thousand, order.charge_nanos) == (900_000, 900_000_000)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"tool": "no-such-tool"}, UnknownTool),
        ({"quantity": "1e3"}, BadQuantity),
        ({"quantity": "9"}, QuantityTooSmall),
        ({"quantity": "100001"}, QuantityTooLarge),
        ({"link": "https://example.com/"}, BadLink),
        ({"link": f"{LINK}\x00"}, BadLink),
        ({"request_id": "short"}, BadInput),
        ({"request_id": "request-0001\n"}, BadInput),
        ({"terms_id": 0}, TermsChanged),
    ],
)
def test_order_that_cannot_be_placed_charges_nothing(change: dict[str, object], error: type[Exception]) -> None:
    customer, tool = a_customer("10"), a_tool()

    with pytest.raises(error):
        _place(customer, _asked(tool, **change))

    assert ledger.balance_nanos(customer.id) == 10_000_000_000
    assert db.session.scalars(select(Order)).all() == []


def test_hidden_tool_cannot_be_ordered() -> None:
    customer, tool = a_customer("10"), a_tool(is_hidden=True)

    with pytest.raises(UnknownTool):
        _place(customer, _asked(tool))

    assert ledger.balance_nanos(customer.id) == 10_000_000_000


def test_balance_that_is_a_nano_short_is_not_enough() -> None:
    customer, tool = a_customer("0.899999999"), a_tool(price="0.90")

    with pytest.raises(InsufficientBalance):
        _place(customer, _asked(tool))

    assert ledger.balance_nanos(customer.id) == 899_999_999
    assert len(db.session.scalars(select(Transfer)).all()) == 1


@pytest.mark.parametrize("words", [{}, {"link": f" {LINK} "}, {"quantity": "01000"}, {"terms_id": 0}])
def test_same_request_is_the_same_order(words: dict[str, object]) -> None:
    customer, tool = a_customer("10"), a_tool(price="0.90")
    first = _place(customer, _asked(tool)).id

    second = _place(customer, _asked(tool, **words)).id

    assert first == second
    assert ledger.balance_nanos(customer.id) == 9_100_000_000


def test_same_request_is_the_same_order_after_tool_and_price_have_changed() -> None:
    customer, tool = a_customer("10"), a_tool(price="0.90")
    first = _place(customer, _asked(tool)).id
    new_terms(tool, price_micros_per_thousand=5_000_000, minimum=5_000)

    assert _place(customer, _asked(tool)).id == first


@pytest.mark.parametrize("words", [{"quantity": "1001"}, {"link": LINK + "0"}, {"tool": "other"}, {"quantity": "x"}])
def test_same_request_with_other_words_is_refused(words: dict[str, object]) -> None:
    customer, tool = a_customer("10"), a_tool()
    _place(customer, _asked(tool))

    with pytest.raises(RequestIdUsed):
        _place(customer, _asked(tool, **words))

    assert len(db.session.scalars(select(Order)).all()) == 1


def test_two_customers_may_use_the_same_request_id() -> None:
    tool = a_tool()

    orders = {_place(a_customer("10"), _asked(tool)).id for _ in range(2)}

    assert len(orders) == 2
