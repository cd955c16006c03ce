"""Mass order with fields: each type's line, and lines made from earlier orders."""

import csv
import html
import io
import json
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.forms import mass_line
from panel.domain.forms.order_types import TYPES
from panel.models import Order
from panel.services.orders import order_fields, placing
from panel.services.orders.placing import Placing
from tests.support.factories import LINK, NOON, a_customer, logged_in
from tests.support.form_factories import a_tool_of, given_for, quantity_for


def hidden(page: str, name: str) -> str:
    return html.unescape(re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)[1])


def test_a_line_of_every_type_becomes_an_order_with_its_fields(client: FlaskClient) -> None:
    tools = {order_type: a_tool_of(order_type) for order_type in TYPES}
    logged_in(client, a_customer("1000"))
    lines = [
        " | ".join([tool.slug, LINK, *([quantity] if (quantity := quantity_for(TYPES[order_type])) else [])])
        + mass_line.written(given_for(TYPES[order_type]))
        for order_type, tool in tools.items()
    ]

    check = client.post("/orders/mass", data={"lines": "\r\n".join(lines)})
    form = {name: hidden(check.text, name) for name in ("request_id", "terms", "lines")} | {"step": "place"}
    client.post("/orders/mass", data=form)

    assert f"Place {len(TYPES)} orders" in check.text
    orders = {order.tool_id: order for order in db.session.scalars(select(Order))}
    for order_type, tool in tools.items():
        assert order_fields.of_order(orders[tool.id].id) == given_for(TYPES[order_type]), order_type


@pytest.mark.parametrize(
    ("order_type", "parts", "fault"),
    [
        ("Poll", "100", "Enter the answer number."),
        ("Poll", "100 | answer_number=0", "Enter a whole number from 1 to 100."),
        ("Poll", "answer_number=2", "A line of this tool is tool | link | quantity | answer_number=…."),
        ("Package", "7", "This tool takes no quantity. A line of this tool is tool | link."),
        ("Custom Comments", "5 | comments=a", "This tool takes no quantity."),
    ],
)
def test_a_line_that_lacks_a_part_says_which(client: FlaskClient, order_type: str, parts: str, fault: str) -> None:
    tool = a_tool_of(order_type)

    page = logged_in(client, a_customer("10")).post("/orders/mass", data={"lines": f"{tool.slug} | {LINK} | {parts}"})

    assert page.status_code == 422
    assert fault in html.unescape(page.text)


def test_orders_again_are_lines_with_the_same_fields(client: FlaskClient) -> None:
    customer, tool = a_customer("100"), a_tool_of("Comment Replies")
    asked = Placing(tool.slug, LINK, "", "request-000001", fields=given_for(TYPES["Comment Replies"]))
    with transaction():
        order_id = placing.place_order(customer.id, asked=asked, now=NOON).id

    page = logged_in(client, customer).post("/orders/selection", data={"action": "again", "order": [order_id]}).text

    line = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.S)[1])
    _tool, _, rest = line.partition("|")
    assert mass_line.split(TYPES["Comment Replies"], rest)[1] == given_for(TYPES["Comment Replies"])


def test_csv_has_the_fields_as_json_and_no_formula(client: FlaskClient) -> None:
    customer, tool = a_customer("100"), a_tool_of("Custom Comments")
    given = {"comments": "=1+1\n@x"}
    with transaction():
        placing.place_order(customer.id, asked=Placing(tool.slug, LINK, "", "request-000001", fields=given), now=NOON)

    text = logged_in(client, customer).get("/orders.csv").text.removeprefix("\ufeff")

    [row] = csv.DictReader(io.StringIO(text))
    assert json.loads(row["fields"]) == given
