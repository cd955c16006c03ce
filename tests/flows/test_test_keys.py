"""Test keys: their orders run on the simulator for test money, apart from the owner's, and count nowhere."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts.key_scope import KeyScope
from panel.domain.errors import InsufficientBalance
from panel.domain.money import NANOS_PER_UNIT
from panel.domain.status import Status
from panel.models import ApiKey, ApiTestCustomer, Order, Provider, Tool, User, Webhook, WebhookDelivery
from panel.providers.base import StatusRequest
from panel.providers.simulated import SCENARIOS, Simulated
from panel.services import delivery_times, health, test_orders
from panel.services.api import test_customers
from panel.services.catalogue import routes
from panel.services.money import audit, export, ledger
from panel.services.office import customers as office_customers
from panel.services.office import price_groups, today
from panel.services.orders import dispatch, fail_over, placing, sync
from panel.services.orders.placing import Placing
from panel.services.privacy import closing, data_export_tables
from panel.services.providers import health as provider_health
from tests.services.test_webhooks import an_endpoint, event_bodies, move
from tests.support import ledger_oracle
from tests.support.api_clients import Caller, a_key
from tests.support.factories import LINK, NOON, a_customer, a_provider, a_tool, an_operator, an_order, logged_in

pytestmark = pytest.mark.both_engines
TEST_MONEY = "10000.00"


@pytest.fixture
def owner() -> User:
    return a_customer("5.00")


@pytest.fixture
def tool() -> Tool:
    """A tool of another panel, which no test order may reach."""
    return a_tool("real", price="0.90", provider="panel_api", provider_service="7", refill_days=30)


@pytest.fixture
def tester(client: FlaskClient, owner: User) -> Caller:
    return Caller(client, a_key(owner, scope=KeyScope.TEST))


def placed(tester: Caller, tool: Tool, **fields: object) -> Order:
    answer = tester.call("add", service=tool.id, link=LINK, quantity=1_000, **fields)
    assert answer["test"] is True
    return db.session.get_one(Order, answer["order"])


def play(order_id: int) -> None:
    """Send the order to the simulator, and apply what it reports as time goes on."""
    simulated, now = Simulated(seed="t"), utc_now()
    provider_id = db.session.get_one(Order, order_id).provider_id
    with transaction():
        taken = dispatch.open_attempts(provider_id, most=9, lease_seconds=60, now=now)
        for each in taken:
            dispatch.record_outcome(each.attempt_id, simulated.add(each.order, now=now), now=now)
    for seconds in (10, 20, 600, 1_000):
        now += timedelta(seconds=seconds)
        with transaction():
            asked: list[StatusRequest] = sync.take_batch(provider_id, again_seconds=1, now=now)
            sync.apply_reports(asked, simulated.status(asked, now=now), now=now)


def test_order_goes_to_the_simulator_and_costs_test_money(tester: Caller, owner: User, tool: Tool) -> None:
    order = placed(tester, tool)

    assert db.session.get_one(Provider, order.provider_id).name == test_orders.KEYS_PROVIDER_NAME
    assert (order.provider_service, order.charge_nanos) == (SCENARIOS[0], 900_000_000)
    assert tester.call("balance") == {"balance": "9999.10", "currency": "USD", "test": True}
    assert ledger.balance_nanos(owner.id) == 5 * NANOS_PER_UNIT
    play(order.id)
    assert tester.call("status", order=order.id) | {"start_count": ""} == {
        "charge": "0.90",
        "start_count": "",
        "status": "Completed",
        "remains": "0",
        "currency": "USD",
        "test": True,
    }
    assert tester.call("status", orders=f"{order.id},999999")[str(order.id)]["test"] is True
    assert "refill" in tester.call("refill", order=order.id)
    ledger_oracle.assert_consistent()
    assert audit.audit().differences == ()


ENDS = {"usual": Status.COMPLETED, "partial": Status.PARTIAL, "canceled": Status.CANCELED}


@pytest.mark.parametrize(("scenario", "end"), ENDS.items())
def test_scenario_says_how_the_order_goes(tester: Caller, tool: Tool, scenario: str, end: Status) -> None:
    order = placed(tester, tool, scenario=scenario)

    play(order.id)

    order = db.session.get_one(Order, order.id, populate_existing=True)
    assert order.status == end
    assert order.returned_nanos == (0 if end is Status.COMPLETED else order.remains * order.price_micros_per_thousand)
    assert (order.returned_nanos == order.charge_nanos) is (end is Status.CANCELED)


def test_unknown_scenario_is_refused_and_other_keys_have_none(tester: Caller, owner: User, tool: Tool) -> None:
    real = Caller(tester.client, a_key(owner))

    for caller, scenario in ((tester, "unheard-of"), (real, "usual")):
        answer = caller.post("add", service=tool.id, link=LINK, quantity=100, scenario=scenario)
        assert (answer.get_json(), answer.headers["X-Error-Field"]) == ({"error": "Incorrect request"}, "scenario")
    assert db.session.scalar(select(func.count()).select_from(Order)) == 0


def test_test_key_and_real_key_never_see_each_others_orders(tester: Caller, owner: User, tool: Tool) -> None:
    real = Caller(tester.client, a_key(owner))
    tested = placed(tester, tool).id
    own = real.call("add", service=tool.id, link=LINK, quantity=1_000)
    assert own == {"order": tested + 1}

    for _ in range(3):
        assert tester.call("status", order=tested)["test"] is True
        assert "test" not in real.call("status", order=tested + 1)
        assert real.call("status", order=tested) == tester.call("status", order=tested + 1)
        assert real.call("status", order=tested) == {"error": "Incorrect order ID"}
        assert real.call("balance") == {"balance": "4.10", "currency": "USD"}
        assert tester.call("balance")["balance"] == "9999.10"
    assert real.call("cancel", orders=tested)[0]["cancel"] == {"error": "Incorrect order ID"}


def test_all_test_keys_of_an_owner_share_one_test_balance(tester: Caller, owner: User, tool: Tool) -> None:
    other = Caller(tester.client, a_key(owner, name="Other", scope=KeyScope.TEST))
    placed(tester, tool)

    assert other.call("balance")["balance"] == "9999.10"
    assert db.session.scalar(select(func.count()).select_from(ApiTestCustomer)) == 1


def test_balance_can_be_used_up_and_reset(tester: Caller, owner: User) -> None:
    dear = a_tool("dear", price="9999.00")
    placed(tester, dear)
    assert tester.call("add", service=dear.id, link=LINK, quantity=100) == {"error": "Not enough funds on balance"}

    logged_in(tester.client, owner)
    page = tester.client.post("/account/keys/test-balance", follow_redirects=True)

    assert "The test balance is full again." in page.text
    assert tester.call("balance")["balance"] == TEST_MONEY
    with transaction():
        test_customers.reset_balance(owner.id, now=utc_now())
    assert audit.audit().differences == ()
    logged_in(tester.client, a_customer())
    assert tester.client.post("/account/keys/test-balance").status_code == 404


def test_test_order_never_goes_on_to_a_real_provider(tester: Caller, tool: Tool) -> None:
    other = a_provider("panel_api", name="other")
    with transaction():
        routes.add(tool.slug, provider=other.name, service="70", rate="0.10", actor="anna", now=NOON)
        db.session.execute(update(Tool).values(is_cheapest_first=True))
    order = placed(tester, tool)
    simulator_id = order.provider_id

    with transaction():
        provider_health.pause(simulator_id, reason="We pause it.", now=utc_now())
    now = utc_now() + timedelta(minutes=1)
    with transaction():
        moved = fail_over.pass_on_waiting(fail_over.waiting(now=now), now=now)

    assert moved == 0
    assert db.session.get_one(Order, order.id, populate_existing=True).provider_id == simulator_id


def test_price_is_that_of_the_owners_group(tester: Caller, owner: User, tool: Tool) -> None:
    with transaction():
        group_id = price_groups.add("Resellers", "50", actor="anna", now=NOON)
        price_groups.give(owner.id, group_id, actor="anna", now=NOON)

    [service] = tester.call("services")

    assert service["rate"] == "0.45"
    assert placed(tester, tool).charge_nanos == 450_000_000


def test_nothing_counts_or_lists_test_orders(tester: Caller, owner: User, tool: Tool, client: FlaskClient) -> None:
    operator = an_operator()
    order = placed(tester, tool)
    play(order.id)
    user_id = order.customer_id

    figures = today.figures(now=utc_now())
    assert (figures.placed.orders, figures.charged_nanos, figures.revenue_nanos) == (0, 0, 0)
    assert sum(health.numbers(now=utc_now()).orders_by_status.values()) == 0
    assert delivery_times.time_to_completion(tool.id, now=utc_now() + timedelta(hours=1)) is None
    assert (audit.audit().orders, audit.audit().transfers) == (0, 1)
    exported = [row for row in export.rows() if row["kind"] in ("order", "event", "attempt")]
    assert exported == []
    assert user_id not in [row.id for row in office_customers.search("", after=None).rows]
    logged_in(client, operator)
    assert f'id="order-{order.id}"' not in client.get("/office/orders").text
    found = client.get(f"/office/orders/{order.id}").text
    assert f"test orders of customer {owner.id}" in found


def test_owner_sees_the_test_orders_beside_the_keys_and_in_the_own_data(
    tester: Caller, owner: User, tool: Tool, client: FlaskClient
) -> None:
    order = placed(tester, tool)
    placed(Caller(client, a_key(a_customer(), scope=KeyScope.TEST)), tool)
    real = an_order(customer=owner, tool=tool)
    logged_in(client, owner)

    page = client.get("/account/keys").text
    assert "$9,999.10" in page and f'<th scope="row">{order.id}</th>' in page
    assert f'<th scope="row">{real.id}</th>' not in page
    assert f'id="order-{order.id}"' not in client.get("/orders").text
    assert client.get(f"/orders/{order.id}").status_code == 404
    tables = {table.name: table for table in data_export_tables.tables(owner.id)}
    orders = [dict(zip(tables["orders"].head, row, strict=True)) for row in tables["orders"].rows()]
    assert [(row["number"], row["kind"]) for row in orders] == [(order.id, "test order"), (real.id, "order")]
    at = tables["order_events"].head.index("order")
    assert {row[at] for row in tables["order_events"].rows()} == {order.id, real.id}


def test_closing_the_account_ends_its_test_keys_and_erases_their_links(tester: Caller, owner: User, tool: Tool) -> None:
    order = placed(tester, tool)
    play(order.id)

    with transaction():
        closing.close(owner.id, given_up_nanos=5 * NANOS_PER_UNIT, now=utc_now())

    assert tester.call("balance") == {"error": "Invalid API key"}
    assert db.session.get_one(Order, order.id, populate_existing=True).link == ""
    # A call that began before the account was closed places no order after it.
    with pytest.raises(InsufficientBalance), transaction():
        asked = Placing(tool.slug, LINK, "100", "request-000001")
        placing.place_order(order.customer_id, asked=asked, now=utc_now())


def test_disabled_owner_ends_the_test_key(tester: Caller, owner: User) -> None:
    with transaction():
        db.session.execute(update(User).where(User.id == owner.id).values(disabled_at=utc_now()))

    assert tester.call("balance") == {"error": "Invalid API key"}


def test_command_makes_a_test_key(app: Flask, client: FlaskClient, owner: User) -> None:
    db.session.rollback()
    runner = app.test_cli_runner()

    made = runner.invoke(args=["users", "api-key", owner.email, "--test"])
    both = runner.invoke(args=["users", "api-key", owner.email, "--test", "--read-only"])

    assert Caller(client, made.stdout.strip()).call("balance")["balance"] == TEST_MONEY
    assert (both.exit_code, "leave one of the two options out" in both.stderr) == (1, True)
    assert db.session.scalars(select(ApiKey.scope)).all() == [KeyScope.TEST]


def test_webhooks_of_test_orders_are_marked_and_go_to_the_owner(
    app: Flask, tester: Caller, owner: User, tool: Tool
) -> None:
    endpoint = an_endpoint(app, owner, balance_low_nanos=10**15).endpoint
    an_endpoint(app, a_customer())
    tested = placed(tester, tool, scenario="partial")
    play(tested.id)
    of_tests = event_bodies()
    real = Caller(tester.client, a_key(owner))
    own_id = real.call("add", service=tool.id, link=LINK, quantity=1_000)["order"]
    move(db.session.get_one(Order, own_id), Status.IN_PROGRESS, remains=900, now=utc_now())

    kinds = [(each["kind"], each["number"], each["test"], each["order"]["id"]) for each in of_tests]
    assert [number for _kind, number, *_ in kinds] == list(range(1, len(kinds) + 1))
    assert {(is_test, order_id) for *_, is_test, order_id in kinds} == {(True, tested.id)}
    assert (of_tests[-2]["kind"], of_tests[-1]["kind"]) == ("order.status_changed", "order.refunded")
    assert of_tests[-1]["order"]["status"] == "Partial"
    of_orders = [each for each in event_bodies() if "order" in each]
    assert ["test" in each for each in of_orders] == [True] * len(kinds) + [False]
    assert {row.user_id for row in db.session.scalars(select(Webhook)).all()} == {owner.id}
    assert {row.endpoint_id for row in db.session.scalars(select(WebhookDelivery)).all()} == {endpoint.id}

    page = logged_in(app.test_client(), owner).get(f"/account/webhooks/{endpoint.id}").text
    assert f">Test order {tested.id}</a>" in page and f'href="/orders/{tested.id}"' not in page
    assert f'href="/orders/{own_id}"' in page


def test_refill_of_a_test_order_is_a_marked_webhook(app: Flask, tester: Caller, owner: User, tool: Tool) -> None:
    tested = placed(tester, tool)
    play(tested.id)
    an_endpoint(app, owner)

    tester.call("refill", order=tested.id)

    assert [(each["kind"], each["test"]) for each in event_bodies(kind="refill.status_changed")] == [
        ("refill.status_changed", True)
    ]


def test_open_orders_of_test_keys_are_bounded(
    tester: Caller, owner: User, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_customers, "MAX_OPEN_ORDERS", 2)
    first_id = placed(tester, tool, request_id="one").id
    placed(tester, tool)

    refused = tester.post("add", service=tool.id, link=LINK, quantity=1_000)
    again = tester.post("add", service=tool.id, link=LINK, quantity=1_000, request_id="one")

    assert (refused.status_code, refused.headers["X-Error-Code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "60" and again.get_json()["order"] == first_id
    play(first_id)
    assert placed(tester, tool).id > first_id
    assert ledger.balance_nanos(owner.id) == 5 * NANOS_PER_UNIT
