"""ETags of live regions belong to one user: equal versions of two users give different ETags."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import Order, User
from panel.services import customer_version
from panel.services.accounts.sessions import PageVersions
from panel.services.page_version import page_etag
from tests.support.factories import a_customer, a_tool, an_order, logged_in

pytestmark = pytest.mark.both_engines


def two_alike(app: Flask) -> list[tuple[FlaskClient, Order]]:
    """Two customers with one order of the same tool each, and equal page versions."""
    tool = a_tool()
    orders = [an_order(customer=a_customer("100"), tool=tool) for _ in range(2)]
    people = [db.session.get_one(User, order.customer_id) for order in orders]
    both = [(logged_in(app.test_client(), person), order) for person, order in zip(people, orders, strict=True)]
    _make_alike([person.id for person in people])
    return both


def _make_alike(customer_ids: list[int]) -> None:
    """Bump the lower version until both are equal."""
    db.session.rollback()
    versions = {number: _version(number) for number in customer_ids}
    for number, version in versions.items():
        for _ in range(max(versions.values()) - version):
            with transaction():
                customer_version.bump([number])
    assert len({_version(number) for number in customer_ids}) == 1


def _version(customer_id: int) -> int:
    return db.session.scalars(select(User.state_version).where(User.id == customer_id)).one()


def tag_of(page: str) -> str:
    found = re.search(r'data-hx-ptag="(\w+)"', page)
    assert found is not None
    return found[1]


def test_two_people_of_the_same_versions_have_different_hashes() -> None:
    first, second = (page_etag(PageVersions(number, 7, 3), address="/orders") for number in (1, 2))

    assert first != second


@pytest.mark.parametrize("path", ["/orders", "/orders?status=pending"])
def test_each_of_two_alike_sees_only_their_own_orders(app: Flask, path: str) -> None:
    (first, mine), (second, theirs) = two_alike(app)

    pages = [client.get(path).text for client in (first, second)]

    assert [re.findall(r'<tr id="order-(\d+)"', page) for page in pages] == [[str(mine.id)], [str(theirs.id)]]
    assert tag_of(pages[0]) != tag_of(pages[1])


def test_page_version_differs_between_two_customers_with_equal_orders(app: Flask) -> None:
    (first, _mine), (second, theirs) = two_alike(app)
    tag = tag_of(first.get("/orders").text)

    answer = second.get("/orders/live", headers={"HX-PTag": tag})

    assert answer.status_code == 200
    assert f'<tr id="order-{theirs.id}"' in answer.text
    assert first.get("/orders/live", headers={"HX-PTag": tag}).status_code == 304
