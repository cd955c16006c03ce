"""Drip-feed from the outside: API, order form without scripts, and the order's page."""

import re

from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.provider_report import Report
from panel.models import Order, OrderRun
from panel.providers.base import Accepted
from panel.services.orders import dispatch, placing, sync
from panel.services.orders.placing import Placing
from tests.support.api_clients import a_caller
from tests.support.factories import LINK, NOON, a_customer, a_tool, logged_in
from tests.support.form_factories import a_drip_feed_tool

_INPUT = re.compile(r'<input[^>]*? name="([^"]+)"[^>]*? value="([^"]*)"')


def form_fields(page: str, action: str) -> dict[str, str]:
    """The inputs of the form with this action, as a browser without scripts sends them."""
    form = page.partition(f'<form method="post" action="{action}"')[2].partition("</form>")[0]
    return dict(_INPUT.findall(form))


def test_api_says_which_tools_offer_it_and_answers_for_the_whole_order(client: FlaskClient) -> None:
    tool, plain = a_drip_feed_tool(price="1.00"), a_tool()
    call = a_caller(client, a_customer("10")).call

    listed = {service["service"]: service["dripfeed"] for service in call("services")}
    order = call("add", service=tool.id, link=LINK, quantity=100, runs=3, interval=60)["order"]
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=5, lease_seconds=60, now=utc_now())
        dispatch.record_outcome(taken.attempt_id, Accepted("77"), now=utc_now())
    with transaction():
        asked = sync.take_batch(tool.provider_id, again_seconds=1, now=utc_now())
        sync.apply_reports(asked, {order: Report("Partial", 30)}, now=utc_now())
    answer = call("status", order=order)

    assert listed == {tool.id: True, plain.id: False}
    assert (answer["charge"], answer["status"], answer["remains"]) == ("0.30", "In progress", "230")
    assert (taken.order.quantity, taken.order.fields) == (100, ())


def test_api_refuses_half_a_plan_and_a_plan_for_another_tool(client: FlaskClient) -> None:
    tool, plain = a_drip_feed_tool(), a_tool()
    call = a_caller(client, a_customer("10")).call

    for service, fields in ((tool.id, {"runs": 3}), (tool.id, {"runs": 51, "interval": 60}), (plain.id, {"runs": 3})):
        assert "error" in call("add", service=service, link=LINK, quantity=100, **fields)

    db.session.rollback()
    assert db.session.scalars(select(Order.id)).all() == []


def test_order_by_the_form_without_scripts_shows_plan_and_whole_price(client: FlaskClient) -> None:
    tool, customer = a_drip_feed_tool(price="1.00"), a_customer("10")
    logged_in(client, customer)

    page = client.get(f"/orders/new?tool={tool.slug}").text
    typed = form_fields(page, "/orders/check") | {"link": LINK, "quantity": "100", "runs": "4", "interval": "120"}
    check = client.post("/orders/check", data=typed).text
    placed = client.post("/orders", data=form_fields(check, "/orders"))
    shown = client.get(placed.location).text

    assert '<details class="drip-feed">' in page
    assert "4 runs of 100 visits each" in check and "2 hours after the one before" in check
    assert "Place order for $0.40" in check
    assert len(re.findall(r'<tr id="run-\d"', shown)) == 4 and shown.count("Due ") == 4
    order = db.session.scalars(select(Order)).one()
    runs = db.session.scalars(select(OrderRun).order_by(OrderRun.number)).all()
    assert (order.quantity, [run.quantity for run in runs]) == (400, [100] * 4)


def test_price_is_for_all_runs_and_says_what_is_missing(client: FlaskClient) -> None:
    tool = a_drip_feed_tool(price="1.00")
    logged_in(client, a_customer("10"))

    whole = client.get(f"/orders/price?tool={tool.slug}&quantity=100&runs=5&interval=60").text
    half = client.get(f"/orders/price?tool={tool.slug}&quantity=100&runs=5").text

    assert "500 visits" in whole and "$0.50" in whole
    assert "Enter the minutes between two runs too." in half


def test_order_again_starts_from_the_quantity_of_one_run(client: FlaskClient) -> None:
    tool, customer = a_drip_feed_tool(), a_customer("10")
    asked = Placing(tool.slug, LINK, "100", "request-000001", None, {"runs": "3", "interval": "60"})
    with transaction():
        order_id = placing.place_order(customer.id, asked=asked, now=NOON).id
    logged_in(client, customer)

    fields = form_fields(client.get(f"/orders/new?again={order_id}").text, "/orders/check")

    assert (fields["quantity"], fields["runs"], fields["interval"]) == ("100", "3", "60")
