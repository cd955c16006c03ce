"""Prices change, and customers change groups, while orders are placed: each order costs what its check page said."""

import re
from collections import Counter

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.models import Order, User
from panel.services.money import audit
from panel.services.office import price_groups
from tests.flows.test_price_groups import a_group
from tests.support.concurrently import run_concurrently
from tests.support.factories import LINK, a_customer, a_tool, logged_in

pytestmark = pytest.mark.both_engines

ROUNDS = 6
# Prices that each group has in turn; no two groups share one.
FIRST, SECOND = ("0.51", "0.52", "0.53"), ("0.61", "0.62", "0.63")
EVERY = (*FIRST, *SECOND, "0.90")
Promise = tuple[str, str, int]


class RacingBuyer:
    """A customer with a browser, who notes each price that a page promised."""

    def __init__(self, app: Flask, group_id: int) -> None:
        user: User = a_customer("100")
        # A number: each thread has a session of its own.
        self.user_id = user.id
        self.browser: FlaskClient = logged_in(app.test_client(), user)
        self.give(group_id)
        self.promises: list[Promise] = []
        self.pages: list[str] = []

    def give(self, group_id: int | None) -> None:
        with transaction():
            price_groups.give(self.user_id, group_id, actor="anna", now=utc_now())

    def place(self) -> None:
        for number in range(ROUNDS):
            request_id = f"request-{self.user_id}-{number:04d}"
            form = {"tool": "visits", "link": LINK, "quantity": "1000", "request_id": request_id}
            check = self.browser.post("/orders/check", data=form).text
            hidden = dict(re.findall(r'name="(terms|terms_price)" value="(\d+)"', check))
            answer = self.browser.post("/orders", data={**form, **hidden})
            self.promises.append((request_id, hidden["terms_price"], answer.status_code))

    def read(self) -> None:
        self.pages += [
            self.browser.get(path).text for _ in range(ROUNDS) for path in ("/tools/visits", "/tools", "/orders/new")
        ]


def change_prices(group_id: int, prices: tuple[str, ...]) -> None:
    for price in prices * (ROUNDS // 2):
        with transaction():
            price_groups.set_price(group_id, "visits", price, actor="anna", now=utc_now())


def prices_in(page: str) -> set[str]:
    page = page.partition('id="changes"')[0]
    return {each for each in EVERY if f"${each}" in page}


def test_an_order_costs_what_its_check_page_shows_or_is_refused(app: Flask) -> None:
    a_tool("visits", price="0.90")
    first, second = a_group("First", "", FIRST[0]), a_group("Second", "", SECOND[0])
    buyers = [RacingBuyer(app, group_id) for group_id in (first, second, first)]
    moved = buyers[2]

    def move() -> None:
        for _ in range(ROUNDS):
            for group_id in (second, None, first):
                moved.give(group_id)

    run_concurrently(
        app,
        [
            *(buyer.place for buyer in buyers),
            lambda: change_prices(first, FIRST),
            lambda: change_prices(second, SECOND),
            move,
        ],
    )

    db.session.rollback()
    charged = {order.request_id: order.price_micros_per_thousand for order in db.session.scalars(select(Order)).all()}
    promises = [promise for buyer in buyers for promise in buyer.promises]
    assert len(promises) == ROUNDS * len(buyers)
    assert {status for *_, status in promises} <= {303, 409}
    for request_id, price, status in promises:
        assert charged.get(request_id) == (int(price) if status == 303 else None)
    assert Counter(status for *_, status in promises)[303] == len(charged) > 0
    assert audit.audit().differences == ()


def test_groups_whose_prices_change_never_see_each_others_pages(app: Flask) -> None:
    a_tool("visits", price="0.90")
    first, second = a_group("First", "", FIRST[0]), a_group("Second", "", SECOND[0])
    of_first, of_second, moved = RacingBuyer(app, first), RacingBuyer(app, second), RacingBuyer(app, first)

    def move() -> None:
        for _ in range(ROUNDS):
            for group_id in (second, first):
                moved.give(group_id)

    run_concurrently(
        app,
        [
            of_first.read,
            of_second.read,
            moved.read,
            lambda: change_prices(first, FIRST),
            lambda: change_prices(second, SECOND),
            move,
        ],
    )

    for buyer, own in ((of_first, FIRST), (of_second, SECOND), (moved, FIRST + SECOND)):
        assert len(buyer.pages) == 3 * ROUNDS
        for page in buyer.pages:
            seen = prices_in(page)
            assert len(seen) == 1 and seen <= set(own), seen
