"""Mass order: lines are checked, then placed, with a result for each line."""

import html
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.models import Order, Tool
from panel.services.money import ledger
from tests.support.factories import LINK, a_customer, a_tool, logged_in, new_terms

GOOD = f"page-visits | {LINK} | 1000"
LINES = f"{GOOD}\r\n\r\nno-such-tool|{LINK}|1000\r\npage-visits | {LINK} | 1e3\r\npage-visits | {LINK} | 2000"


def _orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def _hidden(page: str, name: str) -> str:
    return html.unescape(re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)[1])


def test_check_answers_each_line_and_shows_the_total(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")

    page = logged_in(client, a_customer("10")).post("/orders/mass", data={"lines": LINES})

    assert page.status_code == 200
    assert "Place 2 orders for $2.70" in page.text
    assert "There is no such tool." in page.text
    assert "Enter the quantity as a whole number" in page.text
    assert _orders() == 0


def test_placing_makes_the_good_lines_orders_and_gives_the_others_back(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    check = logged_in(client, customer).post("/orders/mass", data={"lines": LINES}).text
    form = {name: _hidden(check, name) for name in ("request_id", "terms", "lines")} | {"step": "place"}

    answer = client.post("/orders/mass", data=form)

    assert answer.status_code == 200
    assert "2 of 4 orders placed" in answer.text
    left = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", answer.text, re.S)[1])
    assert left == f"no-such-tool|{LINK}|1000\npage-visits | {LINK} | 1e3"
    assert (_orders(), ledger.balance_nanos(customer.id)) == (2, 7_300_000_000)


def test_short_name_in_capitals_is_the_same_tool(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    lines = f"Page-Visits | {LINK} | 1000\nPAGE-VISITS | HTTPS://EXAMPLE.COM/page-2 | 1000"
    check = logged_in(client, customer).post("/orders/mass", data={"lines": lines}).text
    form = {name: _hidden(check, name) for name in ("request_id", "terms", "lines")} | {"step": "place"}

    answer = client.post("/orders/mass", data=form)

    assert "Place 2 orders for $1.80" in check
    assert answer.status_code == 200
    assert list(db.session.scalars(select(Order.link).order_by(Order.id))) == [LINK, "https://example.com/page-2"]


def test_lines_sent_again_buy_nothing_twice(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    logged_in(client, customer)
    form = {"lines": LINES, "request_id": "one-form-of-lines", "step": "place"}

    first, second = (client.post("/orders/mass", data=form).text for _ in range(2))

    assert re.findall(r'href="(/orders/\d+)"', first) == re.findall(r'href="(/orders/\d+)"', second)
    assert (_orders(), ledger.balance_nanos(customer.id)) == (2, 7_300_000_000)


def test_equal_lines_are_orders_of_their_own_as_far_as_the_balance_goes(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("2")
    form = {"lines": "\n".join([GOOD] * 3), "request_id": "one-form-of-lines", "step": "place"}

    page = logged_in(client, customer).post("/orders/mass", data=form).text

    assert page.count("Not enough funds") == 1
    assert (_orders(), ledger.balance_nanos(customer.id)) == (2, 200_000_000)


def test_terms_that_changed_since_the_check_are_not_placed(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90")
    seen = f"page-visits={tool.terms_id}"
    new_terms(tool, price_micros_per_thousand=1_500_000)
    form = {"lines": GOOD, "request_id": "one-form-of-lines", "step": "place", "terms": seen}

    answer = logged_in(client, a_customer()).post("/orders/mass", data=form)

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

    assert logged_in(client, a_customer()).post("/orders/mass", data=form).status_code == 422
    assert _orders() == 0


@pytest.mark.parametrize("called", ["page-visits", "PAGE visits", "Page Visits", "{id}", "0{id}"])
def test_tool_is_named_by_short_name_number_or_name(client: FlaskClient, called: str) -> None:
    tool = a_tool("page-visits", price="0.90")
    line = f"{called.format(id=tool.id)} | {LINK} | 1,000"

    check = logged_in(client, a_customer()).post("/orders/mass", data={"lines": line}).text
    form = {name: _hidden(check, name) for name in ("request_id", "terms", "lines")} | {"step": "place"}

    assert "1 order can be placed for" in check
    assert "1 of 1 order placed" in client.post("/orders/mass", data=form).text


def test_name_of_two_tools_is_refused_with_their_short_names(client: FlaskClient) -> None:
    for slug in ("page-visits", "page-visits-2"):
        tool = a_tool(slug)
        with transaction():
            db.session.get_one(Tool, tool.id).name = "Visits"

    page = logged_in(client, a_customer()).post("/orders/mass", data={"lines": f"visits | {LINK} | 1000"}).text

    assert "Several tools are called “visits”. Use a short name: page-visits, page-visits-2." in page


def test_summary_comes_first_then_the_wrong_lines_with_their_reasons(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90", minimum=50)
    lines = f"{GOOD}\npage-visits | {LINK} | 20\npage-visits | not a link | 1000\nonly words"

    page = html.unescape(logged_in(client, a_customer()).post("/orders/mass", data={"lines": lines}).text)

    summary = re.sub(r"<[^>]+>", "", page)
    places = [
        summary.index(words)
        for words in (
            "1 order can be placed for $0.90, 3 cannot.",
            "Place 1 order for $0.90",
            "The minimum order for this tool is 50.",
            "The link must start with https://" if "The link must start" in summary else "The link has a space",
            "A line has three parts",
            "1 order can be placed\n",
        )
    ]
    assert places == sorted(places)


def test_bar_inside_a_link_belongs_to_the_link(client: FlaskClient) -> None:
    a_tool("page-visits", link_pattern=r"https://example\.com/.+")
    link = "https://example.com/page-1?tags=a|b|c"

    page = logged_in(client, a_customer()).post("/orders/mass", data={"lines": f"page-visits | {link} | 1000"}).text

    assert "1 order can be placed" in page
    assert f"<small>{link}</small>" in page
