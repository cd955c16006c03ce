"""Many orders from lines: first checked, then placed, each line answered on its own."""

import html
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db
from panel.models import Order
from panel.services.money import ledger
from tests.support.factories import LINK, a_customer, a_tool, new_terms, signed_in

GOOD = f"page-visits | {LINK} | 1000"
LINES = f"{GOOD}\r\n\r\nno-such-tool|{LINK}|1000\r\npage-visits | {LINK} | 1e3\r\npage-visits | {LINK} | 2000"


def _orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def _hidden(page: str, name: str) -> str:
    return html.unescape(re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)[1])


def test_check_answers_each_line_and_shows_the_total(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")

    page = signed_in(client, a_customer("10")).post("/orders/mass", data={"lines": LINES})

    assert page.status_code == 200
    assert "Place 2 orders for $2.70" in page.text
    assert "There is no such tool." in page.text
    assert "plain digits" in page.text
    assert _orders() == 0


def test_placing_makes_the_good_lines_orders_and_gives_the_others_back(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    check = signed_in(client, customer).post("/orders/mass", data={"lines": LINES}).text
    form = {name: _hidden(check, name) for name in ("request_id", "terms", "lines")} | {"step": "place"}

    answer = client.post("/orders/mass", data=form)

    assert answer.status_code == 200
    assert "2 of 4 lines are orders" in answer.text
    left = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.S)[1])
    assert left == f"no-such-tool|{LINK}|1000\npage-visits | {LINK} | 1e3"
    assert (_orders(), ledger.balance_nanos(customer.id)) == (2, 7_300_000_000)


def test_short_name_in_capitals_is_the_same_tool(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    lines = f"Page-Visits | {LINK} | 1000\nPAGE-VISITS | HTTPS://EXAMPLE.COM/page-2 | 1000"
    check = signed_in(client, customer).post("/orders/mass", data={"lines": lines}).text
    form = {name: _hidden(check, name) for name in ("request_id", "terms", "lines")} | {"step": "place"}

    answer = client.post("/orders/mass", data=form)

    assert "Place 2 orders for $1.80" in check
    assert answer.status_code == 200
    assert list(db.session.scalars(select(Order.link).order_by(Order.id))) == [LINK, "https://example.com/page-2"]


def test_lines_sent_again_buy_nothing_twice(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    signed_in(client, customer)
    form = {"lines": LINES, "request_id": "one-form-of-lines", "step": "place"}

    first, second = (client.post("/orders/mass", data=form).text for _ in range(2))

    assert re.findall(r'href="(/orders/\d+)"', first) == re.findall(r'href="(/orders/\d+)"', second)
    assert (_orders(), ledger.balance_nanos(customer.id)) == (2, 7_300_000_000)


def test_equal_lines_are_orders_of_their_own_as_far_as_the_balance_goes(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("2")
    form = {"lines": "\n".join([GOOD] * 3), "request_id": "one-form-of-lines", "step": "place"}

    page = signed_in(client, customer).post("/orders/mass", data=form).text

    assert page.count("Not enough funds") == 1
    assert (_orders(), ledger.balance_nanos(customer.id)) == (2, 200_000_000)


def test_terms_that_changed_since_the_check_are_not_placed(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90")
    seen = f"page-visits={tool.terms_id}"
    new_terms(tool, price_micros_per_thousand=1_500_000)
    form = {"lines": GOOD, "request_id": "one-form-of-lines", "step": "place", "terms": seen}

    answer = signed_in(client, a_customer()).post("/orders/mass", data=form)

    assert answer.status_code == 422
    assert "have changed" in answer.text
    assert _orders() == 0


@pytest.mark.parametrize(
    "change",
    [
        {"lines": ""},
        {"lines": " \n\n "},
        {"lines": "\n".join([GOOD] * 101)},
        {"request_id": "no"},
        {"request_id": "x" * 99},
        {"terms": "page-visits=abc"},
        {"lines": "a | b"},
        {"lines": f"\x01 | {LINK} | 10"},
    ],
)
def test_unusable_form_places_nothing(client: FlaskClient, change: dict[str, str]) -> None:
    a_tool("page-visits")
    form = {"lines": GOOD, "request_id": "one-form-of-lines", "step": "place"} | change

    assert signed_in(client, a_customer()).post("/orders/mass", data=form).status_code == 422
    assert _orders() == 0
