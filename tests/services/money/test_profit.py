"""Order costs and the profit report: exact, each order once, on both engines; charges that look wrong open a review."""

import csv
import io
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.lists.date_range import Period
from panel.domain.money import parse_nanos
from panel.domain.provider_report import Report
from panel.domain.resale import MAX_CHARGE_NANOS, UpstreamCharge
from panel.domain.review_kind import ReviewKind
from panel.domain.status import Status
from panel.models import Order, OrderCost, Provider, Review, Tool, User
from panel.providers.base import StatusRequest
from panel.services import test_orders
from panel.services.money import order_costs, profit
from panel.services.money.profit import Grouping, ProfitSums
from panel.services.orders import sync
from tests.support.factories import (
    NOON,
    a_customer,
    a_provider,
    a_tool,
    an_operator,
    an_order,
    logged_in,
    new_terms,
    reload,
)
from tests.support.page_text import text_of

TODAY = Period(NOON.date(), NOON.date())


def usd(text: str) -> int:
    return parse_nanos(text)


def record(order: Order, charge: str, currency: str = "USD") -> None:
    with transaction():
        order_costs.record({order.id: UpstreamCharge(usd(charge), currency)}, now=NOON)


def cost_of(order: Order) -> OrderCost:
    db.session.rollback()
    return db.session.get_one(OrderCost, order.id)


def a_resold_tool(
    *, rate: str = "0.40", price: str = "0.90", exchange: int | None = 10**9, currency: str = "USD"
) -> Tool:
    """A tool of another panel with this rate in its catalogue."""
    provider = a_provider("panel_api", name="Upstream")
    tool = a_tool(provider=provider, price=price)
    with transaction():
        stored, sold = db.session.get_one(Provider, provider.id), db.session.get_one(Tool, tool.id)
        stored.catalogue_currency, stored.exchange_nanos = currency, exchange
        sold.provider_rate_micros = usd(rate) // 1_000
    return reload(tool)


def reviews() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Review.text).where(Review.kind == ReviewKind.UPSTREAM_CHARGE)))


@pytest.mark.both_engines
def test_charge_of_a_status_answer_is_kept_and_follows_the_newest_one(app: Flask) -> None:
    order = an_order(tool=a_resold_tool(), quantity=1_000, status=Status.IN_PROGRESS)
    ask = StatusRequest(order.id, "77", order.provider_service, order.quantity)

    for charge, remains in (("0.4", 900), ("0.1", 750)):
        report = Report(
            "Partial" if remains == 750 else "In progress", remains, charge=UpstreamCharge(usd(charge), "USD")
        )
        with transaction():
            sync.apply_reports([ask], {order.id: report}, now=NOON)

    assert (cost_of(order).charge_nanos, cost_of(order).cost_nanos) == (usd("0.1"), usd("0.1"))
    assert reload(order).status == Status.PARTIAL


@pytest.mark.both_engines
def test_charge_in_another_currency_is_worth_the_exchange_rate_of_its_time(app: Flask) -> None:
    tool = a_resold_tool(currency="INR", exchange=12_000_000, rate="30")
    first, second, unknown = (an_order(tool=tool) for _ in range(3))
    record(first, "25.5", "INR")
    with transaction():
        db.session.get_one(Provider, tool.provider_id).exchange_nanos = 20_000_000

    record(second, "25.5", "")
    record(unknown, "25.5", "EUR")

    assert cost_of(first).cost_nanos == usd("0.306")
    assert cost_of(second).cost_nanos == usd("0.51")
    assert (cost_of(unknown).charge_nanos, cost_of(unknown).cost_nanos) == (usd("25.5"), None)


def test_same_charge_in_another_currency_is_recorded(app: Flask) -> None:
    order = an_order(tool=a_resold_tool(), quantity=1_000)
    record(order, "0.4", "USD")

    record(order, "0.4", "EUR")

    assert (cost_of(order).currency, cost_of(order).cost_nanos) == ("EUR", None)


def test_charge_above_the_listed_rate_and_below_the_price_opens_one_review_a_day(app: Flask) -> None:
    tool = a_resold_tool(rate="0.40")
    for _ in range(3):
        record(an_order(tool=tool, quantity=1_000), "0.400000001")

    assert len(reviews()) == 1
    assert "charged more for" in reviews()[0]
    assert "0.40 per 1,000" in reviews()[0]


def test_charge_at_the_listed_rate_opens_no_review(app: Flask) -> None:
    record(an_order(tool=a_resold_tool(rate="0.40"), quantity=1_000), "0.40")

    assert reviews() == []


def test_order_that_costs_more_than_the_customer_paid_opens_a_review(app: Flask) -> None:
    record(an_order(tool=a_resold_tool(rate="5", price="0.90"), quantity=1_000), "0.91")

    assert len(reviews()) == 1
    assert "cost more at Upstream than the customer paid" in reviews()[0]


@pytest.mark.both_engines
def test_a_charge_beyond_all_bounds_holds_no_other_report(app: Flask) -> None:
    tool = a_resold_tool(currency="EUR", exchange=999_999 * 10**9)
    wild, other = (an_order(tool=tool, quantity=1_000, status=Status.IN_PROGRESS) for _ in range(2))
    charges = {wild.id: UpstreamCharge(MAX_CHARGE_NANOS, "EUR"), other.id: UpstreamCharge(1, "EUR")}
    asks = [StatusRequest(order.id, f"7{order.id}", order.provider_service, order.quantity) for order in (wild, other)]

    with transaction():
        reports = {order_id: Report("Completed", 0, charge=charge) for order_id, charge in charges.items()}
        sync.apply_reports(asks, reports, now=NOON)

    assert (cost_of(wild).charge_nanos, cost_of(wild).cost_nanos) == (MAX_CHARGE_NANOS, None)
    assert cost_of(other).cost_nanos == 999_999
    assert {reload(order).status for order in (wild, other)} == {Status.COMPLETED}
    assert any("cost more at Upstream than the customer paid" in text for text in reviews())


@pytest.mark.both_engines
def test_every_grouping_has_the_same_total_and_the_margin_is_exact(app: Flask) -> None:
    tool, other = a_resold_tool(), a_tool(price="2.00")
    ada = a_customer("1000")
    charged = an_order(customer=ada, tool=tool, quantity=1_000, status=Status.COMPLETED)
    record(charged, "0.333333333")
    # Without a charge, 600 of 1,000 were delivered at a rate of 0.40 per 1,000.
    an_order(customer=ada, tool=tool, quantity=1_000, status=Status.PARTIAL, remains=400)
    # Of this one nothing is known.
    an_order(tool=other, quantity=500, status=Status.COMPLETED)
    an_order(tool=tool, now=NOON + timedelta(days=1))

    reports = [profit.report(grouping, period=TODAY) for grouping in Grouping]

    expected = ProfitSums(
        orders=3,
        revenue_nanos=usd("0.90") + usd("0.54") + usd("1.00"),
        returned_nanos=usd("0.36"),
        cost_nanos=usd("0.333333333") + usd("0.24"),
        estimated_nanos=usd("0.24"),
        unknown_orders=1,
        unknown_revenue_nanos=usd("1.00"),
    )
    assert [each.total for each in reports] == [expected] * 4
    assert expected.margin_nanos == usd("1.44") - usd("0.573333333")
    assert expected.margin_percent == "60.2%"
    by_tool = reports[1].lines
    assert [(line.name, line.sums.orders) for line in by_tool] == [(tool.name, 2), (other.name, 1)]


@pytest.mark.both_engines
def test_period_begins_and_ends_at_midnight_utc(app: Flask) -> None:
    """The last day of a month: not the moment before it, and not the first of the next month."""
    tool, last = a_resold_tool(), date(2026, 1, 31)
    midnight = datetime(2026, 1, 31, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    for at in (midnight - moment, midnight, midnight + timedelta(days=1) - moment, midnight + timedelta(days=1)):
        an_order(tool=tool, quantity=100, now=at)

    reports = [profit.report(grouping, period=Period(last, last)) for grouping in Grouping]
    two_days = profit.report(Grouping.DAY, period=Period(last, last + timedelta(days=1)))

    assert [each.total.orders for each in reports] == [2] * 4
    assert [(line.name, line.sums.orders) for line in two_days.lines] == [("2026-01-31", 2), ("2026-02-01", 1)]


@pytest.mark.parametrize("moved", ["provider", "service", "type"])
def test_rate_of_now_is_not_that_of_orders_from_before_the_tool_moved(app: Flask, moved: str) -> None:
    """Nothing is estimated with the other rate, and no charge is compared with it."""
    tool = a_resold_tool(rate="0.40")
    order = an_order(tool=tool, quantity=1_000, status=Status.COMPLETED)
    other = a_provider("panel_api", name="Other")
    with transaction():
        sold = db.session.get_one(Tool, tool.id)
        db.session.get_one(Provider, other.id).exchange_nanos = 10**9
        sold.provider_rate_micros = 1
        if moved == "provider":
            sold.provider_id = other.id
        elif moved == "service":
            sold.provider_service = "another"
    if moved == "type":
        new_terms(reload(tool), order_type="Package", minimum=1, maximum=1)

    total = profit.report(Grouping.TOOL, period=TODAY).total
    record(order, "0.40")

    assert (total.unknown_orders, total.estimated_nanos, total.cost_nanos) == (1, 0, 0)
    assert reviews() == []


def test_cost_of_a_package_is_estimated_and_compared_by_the_package(app: Flask) -> None:
    tool = a_resold_tool(rate="2.50")
    new_terms(tool, order_type="Package", minimum=1, maximum=1, price_micros_per_thousand=usd("3.00"))
    order = an_order(tool=tool, quantity=1, status=Status.COMPLETED)

    total = profit.report(Grouping.TOOL, period=TODAY).total
    record(order, "2.50")
    at_rate = reviews()
    record(order, "2.500000001")

    assert (total.revenue_nanos, total.cost_nanos, total.estimated_nanos) == (usd("3"), usd("2.5"), usd("2.5"))
    assert at_rate == []
    assert ["2.50 a package" in text for text in reviews()] == [True]


def test_charge_in_another_currency_is_not_compared_with_the_listed_rate(app: Flask) -> None:
    tool = a_resold_tool(rate="0.40", price="900", currency="EUR", exchange=11 * 10**8)

    record(an_order(tool=tool, quantity=1_000), "0.41", "INR")
    of_another = reviews()
    record(an_order(tool=tool, quantity=1_000), "0.41", "")

    assert of_another == []
    assert len(reviews()) == 1


def test_own_test_orders_are_left_out(app: Flask) -> None:
    tool = a_resold_tool()
    an_order(tool=tool)
    own = an_order(tool=tool)
    with transaction():
        db.session.get_one(User, own.customer_id).email = test_orders.CUSTOMER_EMAIL

    assert profit.report(Grouping.CUSTOMER, period=TODAY).total.orders == 1


def test_loss_has_a_negative_margin(app: Flask) -> None:
    record(an_order(tool=a_resold_tool(), quantity=1_000, status=Status.COMPLETED), "1.00")

    total = profit.report(Grouping.DAY, period=TODAY).total

    assert (total.margin_nanos, total.margin_percent) == (-usd("0.10"), "-11.1%")


@pytest.mark.parametrize(
    ("charged", "words"),
    [
        (("0.4", "USD"), "Provider’s charge 0.40 USD Cost $0.40"),
        (("25.5", "EUR"), "Provider’s charge 25.50 EUR Cost $0.24 (estimated by the provider’s listed rate)"),
        (None, "Provider’s charge Not named Cost $0.24 (estimated by the provider’s listed rate)"),
    ],
)
def test_office_says_what_an_order_costs_and_whether_that_is_an_estimate(
    client: FlaskClient, charged: tuple[str, str] | None, words: str
) -> None:
    order = an_order(tool=a_resold_tool(), quantity=1_000, status=Status.PARTIAL, remains=400)
    if charged is not None:
        record(order, *charged)
    logged_in(client, an_operator())

    assert words in text_of(client.get(f"/office/orders/{order.id}").text)


def test_support_does_not_see_what_an_order_costs(client: FlaskClient) -> None:
    order = an_order(tool=a_resold_tool(), status=Status.COMPLETED)
    logged_in(client, an_operator(role=Role.SUPPORT))

    assert "Provider’s charge" not in text_of(client.get(f"/office/orders/{order.id}").text)


def test_report_page_and_its_csv_show_the_same_figures(client: FlaskClient) -> None:
    order = an_order(tool=a_resold_tool(), quantity=1_000, status=Status.COMPLETED)
    record(order, "0.40")
    logged_in(client, an_operator())
    day = NOON.date().isoformat()

    page = client.get(f"/office/profit?by=tool&from={day}&to={day}")
    answer = client.get(f"/office/profit.csv?by=tool&from={day}&to={day}")

    assert page.status_code == 200
    assert "55.6%" in page.text
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["orders"], row["revenue"], row["cost"], row["margin"]) == ("1", "0.90", "0.40", "0.50")
    assert row["margin_percent"] == "55.6"


def test_chart_is_shown_only_if_there_is_a_margin_to_draw(client: FlaskClient) -> None:
    an_order(status=Status.COMPLETED)
    logged_in(client, an_operator())
    address = f"/office/profit?from={NOON.date()}&to={NOON.date()}"

    unknown = client.get(address).text
    record(an_order(tool=a_resold_tool(), quantity=1_000, status=Status.COMPLETED), "0.40")
    known = client.get(address).text

    assert ("Margin per day" in unknown, "Margin per day" in known) == (False, True)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=2026-11-20&to=2026-11-10", "The first day is after the last day"),
        ("from=2026-01-01&to=2026-11-10", "Choose at most 92 days"),
        ("from=soon", "This is not a day we know"),
        ("by=moon", "Choose one from the list"),
        ("to=2000-01-01&from=", ""),
    ],
)
def test_wrong_query_is_explained(client: FlaskClient, query: str, words: str) -> None:
    logged_in(client, an_operator())

    answers = [client.get(f"/office/profit{ending}?{query}") for ending in ("", ".csv")]

    assert {answer.status_code for answer in answers} == ({422} if words else {200})
    assert all(words in answer.text for answer in answers)
