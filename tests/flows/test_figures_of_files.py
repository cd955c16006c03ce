"""Amounts in files, API responses, webhooks and emails equal the sums of the ledger's transfers."""

import csv
import io
import json
import re
import zipfile
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Mail, Webhook
from panel.services.api import webhook_endpoints
from panel.services.mail import order_notifications
from tests.support import ledger_figures
from tests.support.api_clients import PATH, a_caller
from tests.support.every_outcome import ENDED, OUTCOMES, PRICE, World, every_outcome
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in
from tests.support.ledger_figures import order_money
from tests.support.shown_figures import amounts_in, nanos_of

DAY = NOON.date().isoformat()


@pytest.fixture
def world(client: FlaskClient) -> World:
    world = every_outcome()
    logged_in(client, world.customer)
    return world


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def amount(text: str) -> int:
    """An amount in a file; an empty cell is zero."""
    return nanos_of(text) if text else 0


@pytest.mark.both_engines
def test_file_of_orders_has_each_charge_and_return(client: FlaskClient, world: World) -> None:
    rows = {int(row["order"]): row for row in rows_of(client.get("/orders.csv").text)}

    assert sorted(rows) == sorted(world.orders.values())
    for name, order_id in world.orders.items():
        row, money = rows[order_id], order_money(order_id)
        assert [amount(row[column]) for column in ("charged", "returned")] == [money.charged, money.returned], name
        assert row["quantity"] == str(OUTCOMES[name][1])
        assert PRICE in row.values()


@pytest.mark.both_engines
def test_file_of_the_statement_has_each_line(client: FlaskClient, world: World) -> None:
    opening, *rows, closing = rows_of(client.get(f"/balance/statement.csv?from={DAY}&to={DAY}").text)

    lines = ledger_figures.lines(world.customer_id)
    assert [
        (int(row["line"]), amount(row["out"]), amount(row["in"]), amount(row["balance"]), row["order"]) for row in rows
    ] == [(line.id, line.out, line.into, line.balance, str(line.order_id or "")) for line in lines]
    assert (amount(opening["balance"]), amount(closing["balance"])) == (0, lines[-1].balance)
    charges = {line.order_id: line.id for line in lines if line.kind == "charge"}
    for row, line in zip(rows, lines, strict=True):
        assert row["reverses"] == (str(charges[line.order_id]) if line.kind == "return" else "")


@pytest.mark.both_engines
def test_own_data_has_the_same_figures(client: FlaskClient, world: World) -> None:
    with zipfile.ZipFile(io.BytesIO(client.get("/account/data.zip").data)) as archive:
        found: dict[str, list[dict[str, Any]]] = json.loads(archive.read("everything.json"))

    assert nanos_of(found["account"][0]["balance"]) == ledger_figures.balance(world.customer_id)
    rows = {row["number"]: row for row in found["orders"]}
    assert sorted(rows) == sorted(world.orders.values())
    for name, order_id in world.orders.items():
        money = order_money(order_id)
        shown = [nanos_of(rows[order_id][column]) for column in ("charge", "kept", "returned")]
        assert shown == [money.charged, money.kept, money.returned], name
        assert rows[order_id]["price_per_thousand"] == PRICE
    lines = [(row["line"], amount(row["out"]), amount(row["in"])) for row in found["statement"]]
    assert lines == [(line.id, line.out, line.into) for line in ledger_figures.lines(world.customer_id)]


@pytest.mark.both_engines
@pytest.mark.parametrize("query", ["", "?asked=of-flask"])
def test_api_returns_the_current_charge_of_each_order(client: FlaskClient, world: World, query: str) -> None:
    """With a query string Flask answers the call, without one a cache does."""
    caller = a_caller(client, world.customer)
    form = {"key": caller.key, "action": "status"}

    many = client.post(PATH + query, data=form | {"orders": ",".join(map(str, world.orders.values()))}).get_json()
    one = {
        name: client.post(PATH + query, data=form | {"order": str(order_id)}).get_json()
        for name, order_id in world.orders.items()
    }

    for name, order_id in world.orders.items():
        money = order_money(order_id)
        assert many[str(order_id)] == one[name]
        assert nanos_of(one[name]["charge"]) == money.charged - money.returned, name


@pytest.mark.both_engines
def test_api_says_the_balance(client: FlaskClient, world: World) -> None:
    answer = a_caller(client, world.customer).call("balance")

    assert nanos_of(answer["balance"]) == ledger_figures.balance(world.customer_id)


@pytest.mark.both_engines
def test_mail_about_orders_that_ended_has_their_money_and_the_sums(world: World) -> None:
    for customer_id in order_notifications.customers_with_news(now=NOON):
        with transaction():
            order_notifications.notify_customer(customer_id, now=NOON)

    mail = db.session.scalars(select(Mail).where(Mail.email == world.customer.email)).one()
    parts = {int(number): text for number, text in re.findall(r"^Order (\d+) is (.*?View the)", mail.text, re.M | re.S)}
    order_ids = {world.orders[name] for name in ENDED} | {world.orders["in refill"]}
    assert set(parts) == order_ids
    for order_id in order_ids:
        money = order_money(order_id)
        assert amounts_in(parts[order_id]) == [money.charged, money.returned]
    charged, returned, balance = amounts_in(mail.text[mail.text.index("All of them together") :])
    assert charged == sum(order_money(number).charged for number in order_ids)
    assert returned == sum(order_money(number).returned for number in order_ids)
    assert balance == ledger_figures.balance(world.customer_id)


@pytest.mark.both_engines
def test_webhooks_carry_charge_and_refund(app: Flask) -> None:
    customer, tool = a_customer("987.654321"), a_tool(price=PRICE)
    with transaction():
        webhook_endpoints.add(
            customer.id,
            url="https://panel.example.com/hook",
            balance_low_nanos=None,
            settings=app.config["PANEL"],
            now=NOON,
        )
    ends = {Status.PARTIAL: (1_409, 523), Status.CANCELED: (1_709, None), Status.COMPLETED: (1_301, None)}
    orders = {
        an_order(customer=customer, tool=tool, status=status, quantity=quantity, remains=remains).id
        for status, (quantity, remains) in ends.items()
    }

    bodies = [json.loads(body) for body in db.session.scalars(select(Webhook.body).order_by(Webhook.id))]

    newest = {body["order"]["id"]: body for body in bodies if body["kind"] == "order.status_changed"}
    refunded = {body["order"]["id"]: body["returned"] for body in bodies if body["kind"] == "order.refunded"}
    assert set(newest) == orders
    for order_id, body in newest.items():
        money = order_money(order_id)
        assert nanos_of(body["order"]["charge"]) == money.charged - money.returned
        assert amount(refunded.get(order_id, "")) == money.returned


def test_timeline_of_goodwill_says_the_amount(client: FlaskClient, world: World) -> None:
    order_id = world.orders["goodwill"]

    text = client.get(f"/orders/{order_id}").text

    returned = [nanos_of(found) for found in re.findall(r"We returned (\$[0-9.]+) to your balance", text)]
    assert sorted(returned) == sorted(order_money(order_id).gifts)
