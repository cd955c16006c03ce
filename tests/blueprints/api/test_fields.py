"""API fields: `add` rejects fields that the tool doesn't use, and id lists are read in every common format."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.blueprints.api.actions import ACTIONS
from panel.blueprints.api.handlers import ADD_FIELDS
from panel.db import db
from panel.domain.status import Status
from panel.models import Order
from panel.services.money import ledger
from tests.support.api_clients import PATH, a_key, is_answer
from tests.support.factories import LINK, a_customer, a_tool, an_order

REFUSED = {"error": "Incorrect request"}
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("runs", "5"),
        ("interval", "60"),
        ("comments", "one\ntwo"),
        ("username", "somebody"),
        ("dripfeed", "0"),
        ("quantity[]", "200"),
        ("links", LINK),
        ("Quantity", "200"),
    ],
)
def test_order_that_asks_for_what_would_not_be_delivered_is_refused_and_the_field_is_named(
    client: FlaskClient, name: str, value: str
) -> None:
    customer, tool = a_customer("10"), a_tool()
    fields = {"key": a_key(customer), "action": "add", "service": tool.id, "link": LINK, "quantity": 100, name: value}

    answers = [client.post(PATH, data=fields), client.post(PATH, json=fields), client.post(PATH, query_string=fields)]

    for answer in answers:
        is_answer(answer)
        assert answer.get_json() == REFUSED
        assert (answer.headers["X-Error-Code"], answer.headers["X-Error-Field"]) == ("incorrect_request", name)
    assert db.session.scalars(select(Order)).all() == []
    assert ledger.balance_nanos(customer.id) == 10_000_000_000


def test_json_fields_that_say_nothing_are_taken(client: FlaskClient) -> None:
    tool = a_tool()
    fields = {"key": a_key(a_customer("10")), "action": "add", "service": tool.id, "link": LINK, "quantity": 100}

    taken = client.post(PATH, json=fields | {"runs": None, "interval": "", "comments": [], "username": " undefined "})
    refused = client.post(PATH, json=fields | {"runs": 0})

    assert list(taken.get_json()) == ["order"]
    assert refused.headers["X-Error-Field"] == "runs"


def test_name_of_an_unknown_field_cannot_break_the_header(client: FlaskClient) -> None:
    fields = {"key": a_key(a_customer()), "action": "add", "a\r\nSet-Cookie: x=é" + "y" * 100: "1"}

    answer = client.post(PATH, data=fields)

    is_answer(answer)
    assert answer.headers["X-Error-Field"] == "a??Set-Cookie: x=?" + "y" * 42


def test_fields_of_an_order_are_those_that_are_documented() -> None:
    assert tuple(field.name for field in ACTIONS["add"].variants[0].fields) == ADD_FIELDS


@pytest.mark.parametrize("action", ["status", "refill", "refill_status", "cancel"])
def test_several_ids_are_taken_however_a_client_lists_them(client: FlaskClient, action: str) -> None:
    customer, tool = a_customer("10"), a_tool()
    fields = {"key": a_key(customer), "action": action}
    one, many = ("refill", "refills") if action == "refill_status" else ("order", "orders")
    for _ in range(2):
        an_order(customer=customer, tool=tool, quantity=10, status=Status.COMPLETED)
    expected = client.post(PATH, data=fields | {many: "1,2"}).get_json()
    if action == "refill":
        # The first call requested them, so that all later calls get the same refusal.
        expected = client.post(PATH, data=fields | {many: "1,2"}).get_json()

    answers = {
        written: client.post(PATH, data=f"key={fields['key']}&action={action}&{written}", content_type=FORM).get_json()
        for name in (one, many)
        for written in (
            f"{name}=1,2",
            f"{name}=1, 2,",
            f"{name}=1&{name}=2",
            f"{name}[]=1&{name}[]=2",
            f"{name}[0]=1&{name}[1]=2",
            f"{name}%5B0%5D=1&{name}%5B1%5D=2",
            f"{name}=[1,2]",
            f'{name}=["1","2"]',
        )
    }
    answers |= {f"json {name}": client.post(PATH, json=fields | {name: [1, "2"]}).get_json() for name in (one, many)}
    answers["parts"] = client.post(
        PATH, data={**fields, f"{many}[]": ["1", "2"]}, content_type="multipart/form-data"
    ).get_json()

    assert len(expected) == 2
    assert {written for written, answer in answers.items() if answer != expected} == set()


@pytest.mark.parametrize("given", [[], [True], [1.5], [None], [[1]], [{"a": 1}], {"0": 1}, True, "[1", "[[[", "[{}]"])
def test_list_of_anything_but_ids_is_refused(client: FlaskClient, given: object) -> None:
    key = a_key(a_customer())

    answer = client.post(PATH, json={"key": key, "action": "status", "orders": given})

    is_answer(answer)
    assert answer.get_json() == REFUSED
