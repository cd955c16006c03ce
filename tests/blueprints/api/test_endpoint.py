"""API actions: exact response bodies and error texts, and no access to other customers' orders."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.models import Cancellation, Order, Refill
from panel.services.money import audit, ledger
from tests.support.api_clients import a_caller
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order

UNKNOWN = {"error": "Incorrect order ID"}


def orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def test_services_are_the_tools_that_can_be_ordered(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90", minimum=50, maximum=10_000)
    plain = a_tool("plain", price="12.3456", refill_days=None, can_cancel=False)
    a_tool("hidden", is_hidden=True)

    answer = a_caller(client, a_customer()).text("services")

    assert answer == (
        f'[{{"service":{tool.id},"name":"Page visits","type":"Default","category":"Pages","rate":"0.90","min":"50",'
        '"max":"10000","refill":true,"cancel":true,"dripfeed":false,"desc":"Visits to a page.","average_time":""},'
        f'{{"service":{plain.id},"name":"Plain","type":"Default","category":"Pages","rate":"12.3456","min":"10",'
        '"max":"100000","refill":false,"cancel":false,"dripfeed":false,"desc":"Visits to a page.","average_time":""}]'
    )


@pytest.mark.both_engines
def test_order_is_placed_and_charged(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool(price="0.90")

    answer = a_caller(client, customer).post("add", service=tool.id, link=f" {LINK} ", quantity=1_000)

    order = db.session.scalars(select(Order)).one()
    assert answer.text == f'{{"order":{order.id}}}'
    assert "X-Possible-Duplicate" not in answer.headers
    assert (order.customer_id, order.tool_id, order.link, order.quantity) == (customer.id, tool.id, LINK, 1_000)
    assert ledger.balance_nanos(customer.id) == 9_100_000_000


@pytest.mark.parametrize(
    ("changes", "text", "code"),
    [
        ({"service": 10**6}, "Incorrect service ID", "incorrect_service_id"),
        ({"service": "abc"}, "Incorrect service ID", "incorrect_service_id"),
        ({"service": ""}, "Incorrect service ID", "incorrect_service_id"),
        ({"service": "9" * 50}, "Incorrect service ID", "incorrect_service_id"),
        ({"link": "example.com"}, "Bad link", "bad_link"),
        ({"link": ""}, "Bad link", "bad_link"),
        ({"link": "https://example.com/\x01"}, "Bad link", "bad_link"),
        ({"link": "https://example.com/\x00"}, "Incorrect request", "incorrect_request"),
        ({"quantity": 49}, "Quantity less than minimal 50", "quantity_too_small"),
        ({"quantity": 0}, "Quantity less than minimal 50", "quantity_too_small"),
        ({"quantity": -100}, "Quantity less than minimal 50", "quantity_too_small"),
        ({"quantity": 10_001}, "Quantity more than maximum 10000", "quantity_too_large"),
        ({"quantity": "1" + "0" * 99}, "Quantity more than maximum 10000", "quantity_too_large"),
        ({"quantity": "1e3"}, "Incorrect request", "incorrect_request"),
        ({"quantity": "100.0"}, "Incorrect request", "incorrect_request"),
        ({"quantity": "1,000"}, "Incorrect request", "incorrect_request"),
        ({"quantity": "undefined"}, "Incorrect request", "incorrect_request"),
        ({"quantity": 5_000}, "Not enough funds on balance", "insufficient_balance"),
        ({"request_id": "two words"}, "Incorrect request", "incorrect_request"),
        ({"request_id": "x" * 81}, "Incorrect request", "incorrect_request"),
    ],
)
def test_order_is_refused_in_the_words_of_the_contract(
    client: FlaskClient, changes: dict[str, object], text: str, code: str
) -> None:
    customer, tool = a_customer("1"), a_tool(minimum=50, maximum=10_000)
    fields = {"service": tool.id, "link": LINK, "quantity": 100} | changes

    answer = a_caller(client, customer).post("add", **fields)

    assert (answer.get_json(), answer.headers["X-Error-Code"]) == ({"error": text}, code)
    assert (orders(), ledger.balance_nanos(customer.id)) == (0, 1_000_000_000)


def test_hidden_tool_is_refused(client: FlaskClient) -> None:
    tool = a_tool(is_hidden=True)

    answer = a_caller(client, a_customer()).call("add", service=tool.id, link=LINK, quantity=100)

    assert answer == {"error": "Incorrect service ID"}


@pytest.mark.both_engines
def test_same_request_id_gives_the_same_order(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool()
    caller, fields = a_caller(client, customer), {"service": tool.id, "link": LINK, "quantity": 100}
    first = caller.call("add", **fields, request_id="7")

    again = caller.call("add", **fields, request_id="7")
    other = a_caller(client, customer).call("add", **fields | {"quantity": 101}, request_id="7")
    elsewhere = a_caller(client, a_customer("10")).call("add", **fields, request_id="7")

    assert again == first
    assert other == {"error": "Request ID already used"}
    assert elsewhere != first
    assert orders() == 2


def test_equal_order_within_a_minute_is_placed_and_named(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool()
    caller, fields = a_caller(client, customer), {"service": tool.id, "link": LINK, "quantity": "0100"}
    an_order(customer=customer, tool=tool, quantity=100, now=utc_now())
    first = caller.post("add", **fields)

    second = caller.post("add", **fields)
    named = caller.post("add", **fields, request_id="of-mine")
    other = caller.post("add", **fields | {"quantity": 101})
    by_another_key = a_caller(client, a_customer("10")).post("add", **fields)

    assert "X-Possible-Duplicate" not in first.headers
    assert second.headers["X-Possible-Duplicate"] == str(first.get_json()["order"])
    assert second.get_json()["order"] > first.get_json()["order"]
    assert not [each for each in (named, other, by_another_key) if "X-Possible-Duplicate" in each.headers]


def test_equal_order_of_long_before_is_not_named(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool()
    request_id = "api:request:before"
    an_order(customer=customer, tool=tool, quantity=100, request_id=request_id, now=utc_now() - timedelta(seconds=61))

    answer = a_caller(client, customer).post("add", service=tool.id, link=LINK, quantity=100)

    assert "X-Possible-Duplicate" not in answer.headers


@pytest.mark.parametrize("status", list(Status))
def test_status_is_the_word_of_the_standard(client: FlaskClient, status: Status) -> None:
    order = an_order(customer=(customer := a_customer("10")), status=status)

    answer = a_caller(client, customer).call("status", order=order.id)

    words = {"Pending", "Processing", "In progress", "Completed", "Partial", "Canceled"}
    assert answer["status"] == ("Completed" if status is Status.REFILL else status.label)
    assert answer["status"] in words


@pytest.mark.both_engines
def test_status_returns_the_current_charge_and_all_values_as_text(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.PARTIAL, remains=157, price="0.33")
    caller = a_caller(client, customer)

    expected = '{"charge":"0.27819","start_count":"0","status":"Partial","remains":"157","currency":"USD"}'

    assert caller.text("status", order=order.id) == expected
    assert caller.text("status", orders=order.id) == f'{{"{order.id}":{expected}}}'


@pytest.mark.both_engines
def test_status_of_many_keeps_others_apart(client: FlaskClient) -> None:
    customer = a_customer("10")
    order, foreign = an_order(customer=customer), an_order()
    caller = a_caller(client, customer)

    answer = caller.call("status", orders=f'{order.id}, {foreign.id},abc,{order.id},,0,-1,{"9" * 30},é"')

    assert answer.pop(str(order.id))["status"] == "Pending"
    assert answer == dict.fromkeys([str(foreign.id), "abc", "0", "-1", "9" * 30, 'é"'], UNKNOWN)
    assert caller.call("status", order=foreign.id) == UNKNOWN
    assert caller.call("status", order="abc") == UNKNOWN


@pytest.mark.both_engines
def test_refill_is_asked_for_once(client: FlaskClient) -> None:
    customer = a_customer("100")
    order = an_order(customer=customer, status=Status.COMPLETED, now=utc_now())
    caller = a_caller(client, customer)

    answer = caller.text("refill", order=order.id)

    refill = db.session.scalars(select(Refill)).one()
    assert answer == f'{{"refill":"{refill.id}"}}'
    assert caller.call("refill", order=order.id) == {"error": "Refill is not available"}
    assert caller.text("refill_status", refill=refill.id) == '{"status":"Pending"}'
    assert caller.call("status", order=order.id)["status"] == "Completed"


@pytest.mark.both_engines
def test_bulk_refills_are_independent_of_each_other(client: FlaskClient) -> None:
    customer, foreign = a_customer("100"), an_order(status=Status.COMPLETED, now=utc_now())
    good = an_order(customer=customer, status=Status.COMPLETED, now=utc_now())
    late = an_order(customer=customer, status=Status.COMPLETED, now=NOON - timedelta(days=90))
    caller = a_caller(client, customer)

    answer = caller.text("refill", orders=f"{good.id},{late.id},{foreign.id},x,{good.id}")

    refill = db.session.scalars(select(Refill)).one()
    assert answer == (
        f'[{{"order":{good.id},"refill":{refill.id}}},'
        f'{{"order":{late.id},"refill":{{"error":"Refill is not available"}}}},'
        f'{{"order":{foreign.id},"refill":{{"error":"Incorrect order ID"}}}},'
        '{"order":"x","refill":{"error":"Incorrect order ID"}}]'
    )
    assert caller.text("refill_status", refills=f"{refill.id},999") == (
        f'[{{"refill":{refill.id},"status":"Pending"}},{{"refill":999,"status":{{"error":"Refill not found"}}}}]'
    )


@pytest.mark.parametrize("state", list(RefillState))
def test_refill_status_is_the_word_of_the_standard(client: FlaskClient, state: RefillState) -> None:
    customer = a_customer("100")
    order = an_order(customer=customer, status=Status.COMPLETED)
    with transaction():
        refill = Refill(order_id=order.id, state=state, asked_at=NOON)
        db.session.add(refill)
    number = refill.id

    answer = a_caller(client, customer).call("refill_status", refill=number)

    words = dict(zip(RefillState, ("Pending", "In progress", "Completed", "Rejected"), strict=True))
    assert answer == {"status": words[state]}
    assert a_caller(client, a_customer()).call("refill_status", refill=number) == {"error": "Refill not found"}
    assert a_caller(client, customer).call("refill_status", refill="x") == {"error": "Refill not found"}


@pytest.mark.both_engines
def test_cancel_returns_all_money_of_an_order_that_nobody_has(client: FlaskClient) -> None:
    customer = a_customer("10")
    order, foreign = an_order(customer=customer), an_order()
    fixed = an_order(customer=customer, tool=a_tool(can_cancel=False))
    charged = ledger.balance_nanos(customer.id)

    answer = a_caller(client, customer).text("cancel", orders=f"{foreign.id},{order.id},{fixed.id},{order.id}")

    assert answer == (
        f'[{{"order":{foreign.id},"cancel":{{"error":"Incorrect order ID"}}}},{{"order":{order.id},"cancel":1}},'
        f'{{"order":{fixed.id},"cancel":{{"error":"Cancel is not available"}}}}]'
    )
    assert ledger.balance_nanos(customer.id) == charged + order.charge_nanos
    assert db.session.scalars(select(Cancellation)).one().order_id == order.id
    assert audit.audit().is_sound


def test_balance_is_text_in_plain_digits(client: FlaskClient) -> None:
    answer = a_caller(client, a_customer("100.84292")).text("balance")

    assert answer == '{"balance":"100.84292","currency":"USD"}'
