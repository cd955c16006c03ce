"""Order form: strict validation, and no field decides the price."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from panel.db import db
from panel.domain.status import Status
from panel.models import Order
from panel.services.money import ledger
from tests.support.factories import LINK, a_customer, a_tool, an_order, logged_in, new_terms

FORM = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-of-this-form"}


def _place(client: FlaskClient, **changes: str) -> TestResponse:
    return client.post("/orders", data=FORM | changes)


def _orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', page)
    assert found, f"no hidden field {name}"
    return found[1]


def test_form_keeps_the_tool_of_the_link_and_shows_its_terms(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90", minimum=50)

    page = logged_in(client, a_customer()).get("/orders/new?tool=page-visits&quantity=2000").text

    assert '<input id="order-tool" type="hidden" name="tool" value="page-visits">' in page
    assert "Terms of Page visits" in page
    assert re.search(r"2,000 visits × .*\$0\.90.* ÷ 1,000 = .*\$1\.80", page)
    assert _hidden(page, "terms") == str(tool.terms_id)
    assert len(_hidden(page, "request_id")) >= 8


def test_each_form_has_a_number_of_its_own(client: FlaskClient) -> None:
    a_tool("page-visits")
    logged_in(client, a_customer())

    numbers = {_hidden(client.get("/orders/new?tool=page-visits").text, "request_id") for _ in range(3)}

    assert len(numbers) == 3


@pytest.mark.parametrize("slug", ["no-such-tool", "hidden-tool", "%01", "a'b", "x" * 500])
def test_form_for_a_tool_that_nobody_can_order_is_not_found(client: FlaskClient, slug: str) -> None:
    a_tool("hidden-tool", is_hidden=True)

    assert logged_in(client, a_customer()).get(f"/orders/new?tool={slug}").status_code == 404


def test_price_served_alone_is_the_price_in_the_page(client: FlaskClient) -> None:
    a_tool("page-visits")
    logged_in(client, a_customer())

    for query in ("tool=page-visits&quantity=640", "tool=page-visits&quantity=", "tool=page-visits&quantity=1"):
        alone = client.get(f"/orders/price?{query}", headers={"HX-Request": "true"}).text
        page = client.get(f"/orders/new?{query}").text

        assert alone.strip() in page


def test_price_of_a_logged_out_visitor_is_401_without_body(client: FlaskClient) -> None:
    answer = client.get("/orders/price?tool=x", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.data) == (401, b"")


def test_check_page_shows_the_order_and_the_balance_before_and_after(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="2.40")
    customer = a_customer("10")

    page = logged_in(client, customer).post("/orders/check", data=FORM)

    assert page.status_code == 200
    assert "Place order for $2.40" in page.text
    assert "$10.00" in page.text
    assert "$7.60" in page.text
    assert {name: _hidden(page.text, name) for name in FORM} == FORM
    assert _hidden(page.text, "terms") == str(tool.terms_id)
    assert (_orders(), ledger.balance_nanos(customer.id)) == (0, 10_000_000_000)


def test_check_page_says_what_is_missing(client: FlaskClient) -> None:
    a_tool("page-visits", price="2.40")

    page = logged_in(client, a_customer("2")).post("/orders/check", data=FORM)

    assert page.status_code == 422
    assert "Not enough funds" in page.text
    assert "$0.40" in page.text
    assert 'href="/balance/add?amount=1.00&amp;next=/orders/waiting' in page.text
    assert "Place order for" not in page.text


def test_placing_charges_and_leads_to_the_order(client: FlaskClient) -> None:
    a_tool("page-visits", price="2.40")
    customer = a_customer("10")

    answer = _place(logged_in(client, customer))

    order = db.session.scalars(select(Order)).one()
    assert (answer.status_code, answer.location) == (303, f"/orders/{order.id}")
    assert (order.status, order.charge_nanos, order.customer_id) == (Status.PENDING, 2_400_000_000, customer.id)
    assert ledger.balance_nanos(customer.id) == 7_600_000_000
    page = client.get(answer.location).text
    assert f"Order {order.id} is placed, and $2.40 is charged." in page


def test_same_form_sent_again_gives_the_same_answer_and_no_second_order(client: FlaskClient) -> None:
    a_tool("page-visits")
    customer = a_customer("10")
    logged_in(client, customer)

    first, second = _place(client), _place(client)

    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert (_orders(), ledger.balance_nanos(customer.id)) == (1, 9_100_000_000)


def test_link_is_kept_with_its_scheme_and_host_in_lower_case_and_both_spellings_are_one_request(
    client: FlaskClient,
) -> None:
    a_tool("page-visits")
    logged_in(client, a_customer("10"))

    first, second, third = (
        _place(client, link=link) for link in ("Https://EXAMPLE.com/page-1", "Https://EXAMPLE.com/page-1", LINK)
    )

    assert first.status_code == 303
    assert first.location == second.location == third.location
    assert db.session.scalars(select(Order.link)).all() == ["https://example.com/page-1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "2130706433", "localhost", "db.internal"])
def test_link_that_only_opens_on_a_private_network_is_refused_before_money_moves(
    client: FlaskClient, host: str
) -> None:
    a_tool("page-visits", link_pattern=r"https?://\S+")

    answer = _place(logged_in(client, a_customer("10")), link=f"https://{host}/a")

    assert answer.status_code == 422
    assert f"The link has no public host name: {host.strip('[]')} can’t be reached" in answer.text
    assert _orders() == 0


def test_fields_for_addresses_and_figures_are_left_as_they_are_typed(client: FlaskClient) -> None:
    a_tool("page-visits")

    paths = ("/orders/new?tool=page-visits", "/balance/add", "/orders/mass")
    pages = [logged_in(client, a_customer()).get(path).text for path in paths]

    for name, page in zip(("link", "amount", "lines"), pages, strict=True):
        tag = re.search(rf'<(?:input|textarea) id="{name}"[^>]*>', page)
        assert tag and 'autocapitalize="none"' in tag[0] and tag[0].count('spellcheck="false"') == 1
    assert 'inputmode="url"' in pages[0]


@pytest.mark.parametrize("change", [{"quantity": "1001"}, {"link": LINK + "0"}, {"tool": "other-tool"}])
def test_same_form_with_other_words_is_a_409_that_shows_the_earlier_order(
    client: FlaskClient, change: dict[str, str]
) -> None:
    a_tool("page-visits")
    a_tool("other-tool")
    customer = a_customer("10")
    first = _place(logged_in(client, customer))

    answer = _place(client, **change)

    assert answer.status_code == 409
    assert first.location in answer.text
    assert (_orders(), ledger.balance_nanos(customer.id)) == (1, 9_100_000_000)


def test_terms_that_changed_in_between_are_a_409_with_the_new_price_to_confirm(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90")
    seen = str(tool.terms_id)
    customer = a_customer("10")
    new_terms(tool, price_micros_per_thousand=1_500_000)
    logged_in(client, customer)

    refused = _place(client, terms=seen)

    assert refused.status_code == 409
    assert "Place order for $1.50" in refused.text
    assert _orders() == 0
    agreed = _place(client, terms=_hidden(refused.text, "terms"), request_id=_hidden(refused.text, "request_id"))
    assert agreed.status_code == 303
    assert ledger.balance_nanos(customer.id) == 8_500_000_000


def test_too_little_balance_is_a_422_that_charges_nothing(client: FlaskClient) -> None:
    a_tool("page-visits", price="2.40")
    customer = a_customer("2")

    answer = _place(logged_in(client, customer))

    assert answer.status_code == 422
    assert "Not enough funds" in answer.text
    assert "$0.40" in answer.text
    assert 'href="/balance/add?amount=1.00&amp;next=/orders/waiting' in answer.text
    assert (_orders(), ledger.balance_nanos(customer.id)) == (0, 2_000_000_000)


@pytest.mark.parametrize(
    ("status", "remains", "quantity"), [(Status.PARTIAL, 360, 360), (Status.CANCELED, 1_000, 1_000)]
)
def test_order_again_is_filled_in_from_the_earlier_order(
    client: FlaskClient, status: Status, remains: int, quantity: int
) -> None:
    customer = a_customer("10")
    tool = a_tool("page-visits")
    order = an_order(customer=customer, tool=tool, quantity=1_000, status=status, remains=remains)

    page = logged_in(client, customer).get(f"/orders/new?again={order.id}").text

    assert '<input id="order-tool" type="hidden" name="tool" value="page-visits">' in page
    assert f'value="{LINK}"' in page
    assert f'name="quantity" type="text" value="{quantity}"' in page


@pytest.mark.parametrize("again", ["{other}", "0", "-1", "abc", "9" * 40, "１"])
def test_order_again_of_someone_elses_order_is_not_found(client: FlaskClient, again: str) -> None:
    other = an_order()

    answer = logged_in(client, a_customer()).get(f"/orders/new?again={again.format(other=other.id)}")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/orders/new", "/orders/mass"])
def test_visitor_is_redirected_to_log_in_with_the_way_back(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{path}?tool=page-visits")

    assert answer.status_code == 303
    assert answer.location.startswith("/log-in?next=")


def test_placing_needs_the_forms_token(client: FlaskClient, csrf: None) -> None:
    a_tool("page-visits")

    assert _place(logged_in(client, a_customer())).status_code == 403
    assert _orders() == 0
