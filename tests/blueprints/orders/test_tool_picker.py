"""Tool picker, quick amounts and warnings of the order form and its check page, with and without scripts."""

import html
import re

import pytest
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.platform.component_states import State, provider_key
from panel.domain.platform.incidents import Phase
from panel.domain.status import Status
from panel.models import Provider
from panel.services.platform import incidents
from panel.services.platform.incidents import UpdateText
from panel.services.providers import health
from tests.support.factories import LINK, a_customer, a_provider, a_tool, an_order, logged_in
from tests.support.large_catalogue import fill_catalogue

FORM = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-of-this-form"}
HELD_BACK = "wait right now"


def _picked(page: str) -> list[str]:
    return re.findall(r'id="pick-([a-z0-9-]+)"', page)


def _links(page: str) -> list[str]:
    return [html.unescape(each) for each in re.findall(r'class="pick__name" href="([^"]+)"', page)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=APPLE", ["apple-visits"]),
        ("q=visits", ["apple-visits", "berry-visits"]),
        ("q=berry+pages", ["berry-visits"]),
        ("q=%25", []),
        ("q=_", []),
        ("category=Pages", ["apple-visits", "berry-visits"]),
        ("category=Elsewhere", []),
    ],
)
def test_picker_finds_tools_by_word_and_category(client: FlaskClient, query: str, found: list[str]) -> None:
    for slug in ("apple-visits", "berry-visits"):
        a_tool(slug)
    a_tool("hidden-visits", is_hidden=True)
    logged_in(client, a_customer())

    page, region = client.get(f"/orders/new?{query}"), client.get(f"/orders/tools?{query}")

    assert _picked(page.text) == _picked(region.text) == found
    assert region.text.strip() in page.text
    assert region.headers["HX-PTag"]


def test_tool_is_found_by_its_number(client: FlaskClient) -> None:
    a_tool("apple-visits")
    tool = a_tool("berry-visits")

    page = logged_in(client, a_customer()).get(f"/orders/new?q={tool.id}").text

    assert "berry-visits" in _picked(page)


def test_choosing_a_tool_keeps_what_is_typed(client: FlaskClient) -> None:
    a_tool("page-visits")
    logged_in(client, a_customer())

    answer = client.post("/orders/check", data=FORM | {"tool": "page-visits", "change": "tool"})
    picker = client.get(answer.location).text
    form = client.get(_links(picker)[0]).text

    assert answer.status_code == 303
    assert '<input id="order-tool" type="hidden" name="tool" value="page-visits">' in form
    assert f'value="{LINK}"' in form and 'name="quantity" type="text" value="1000"' in form


def test_results_are_pages_that_together_are_every_tool_once(client: FlaskClient) -> None:
    fill_catalogue(45)
    logged_in(client, a_customer())

    path, seen = "/orders/new", []
    while path:
        page = client.get(path).text
        seen += _picked(page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        path = html.unescape(more[1]) if more else ""

    assert seen == [f"tool-{number:05}" for number in range(1, 46)]


def test_page_is_full_where_tools_on_the_way_cannot_be_ordered(client: FlaskClient) -> None:
    for number in range(30):
        a_tool(f"broken-{number:02}", link_pattern="[")
    for number in range(21):
        a_tool(f"good-{number:02}")

    page = logged_in(client, a_customer()).get("/orders/new").text

    assert _picked(page) == [f"good-{number:02}" for number in range(20)]
    assert "More tools" in page


def test_quick_amount_fills_the_form_without_scripts(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90", minimum=50, maximum=20_000)
    logged_in(client, a_customer("9"))
    page = client.get("/orders/new?tool=page-visits").text

    amounts = re.findall(r'name="fill" value="(\d+)" formnovalidate>([^<]+)<', page)
    filled = client.post("/orders/check", data=FORM | {"quantity": "", "fill": "10000"})

    assert amounts == [
        ("50", "Minimum: 50"),
        ("500", "500"),
        ("1000", "1,000"),
        ("10000", "Max for balance: 10,000"),
    ]
    assert filled.status_code == 200
    assert f'value="{LINK}"' in filled.text and 'name="quantity" type="text" value="10000"' in filled.text
    assert "Balance after: " in filled.text


@pytest.mark.parametrize("quantity", ["1,000", "1 000", "1\u202f000", " 1000 "])
def test_quantity_with_separators_is_checked_and_placed_exactly(client: FlaskClient, quantity: str) -> None:
    a_tool("page-visits", price="0.90")
    logged_in(client, a_customer())

    check = client.post("/orders/check", data=FORM | {"quantity": quantity})
    placed = [client.post("/orders", data=FORM | {"quantity": each}).location for each in (quantity, "1000")]

    assert "Place order for $0.90" in check.text
    assert placed[0] == placed[1]


def test_check_page_names_the_running_order_for_the_same_tool_and_link(client: FlaskClient) -> None:
    customer, tool = a_customer(), a_tool("page-visits")
    other = a_customer()
    logged_in(client, customer)
    before = client.post("/orders/check", data=FORM).text
    an_order(customer=other, tool=tool, status=Status.IN_PROGRESS, link=LINK)
    of_other = client.post("/orders/check", data=FORM).text
    running = an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS, link=LINK)

    page = client.post("/orders/check", data=FORM).text
    mass = client.post("/orders/mass", data={"lines": f"page-visits | {LINK} | 1000"}).text

    warning = "An order for this link is already running"
    assert warning not in before and warning not in of_other
    assert warning in page and f'<a href="/orders/{running.id}">Order {running.id}</a>' in page
    assert f'<a href="/orders/{running.id}">Order {running.id}</a> for this link is already running' in mass


def test_ended_order_for_the_same_link_is_no_warning(client: FlaskClient) -> None:
    customer, tool = a_customer(), a_tool("page-visits")
    an_order(customer=customer, tool=tool, status=Status.COMPLETED, link=LINK)

    page = logged_in(client, customer).post("/orders/check", data=FORM).text

    assert "already running" not in page


def _pages(client: FlaskClient) -> dict[str, str]:
    """Every page that shows whether the tool can be delivered now."""
    return {
        "list": client.get("/tools").text,
        "tool": client.get("/tools/page-visits").text,
        "picker": client.get("/orders/new").text,
        "form": client.get("/orders/new?tool=page-visits").text,
        "check": client.post("/orders/check", data=FORM).text,
        "mass": client.post("/orders/mass", data={"lines": f"page-visits | {LINK} | 1000"}).text,
    }


def _hold_back(provider_id: int, how: str) -> None:
    with transaction():
        if how == "paused":
            health.pause(provider_id, reason="They ask for it.", now=utc_now())
        else:
            db.session.get_one(Provider, provider_id).add_after = utc_now()


@pytest.mark.parametrize("how", ["paused", "probed"])
def test_every_page_says_that_the_provider_takes_no_orders(client: FlaskClient, how: str) -> None:
    tool = a_tool("page-visits")
    logged_in(client, a_customer())
    before = _pages(client)

    _hold_back(tool.provider_id, how)

    for name, page in _pages(client).items():
        assert HELD_BACK not in before[name].lower(), name
        assert HELD_BACK in page.lower(), name


def test_every_page_says_that_an_incident_is_open(client: FlaskClient) -> None:
    tool = a_tool("page-visits")
    logged_in(client, a_customer())
    before = _pages(client)

    words = UpdateText(Phase.INVESTIGATING, "We look into it.", {provider_key(tool.provider_id): State.DEGRADED})
    with transaction():
        incidents.open_incident("Slow visits", words, request_id="form-of-incident", actor="o", now=utc_now())

    for name, page in _pages(client).items():
        assert "Open incident" not in before[name], name
        assert "Open incident" in page, name
    assert "Slow visits" in _pages(client)["form"]


def test_incident_of_another_provider_is_not_shown(client: FlaskClient) -> None:
    a_tool("page-visits")
    other = a_tool("other-visits", provider=a_provider("simulated", name="other"))
    logged_in(client, a_customer())

    words = UpdateText(Phase.INVESTIGATING, "We look into it.", {provider_key(other.provider_id): State.DEGRADED})
    with transaction():
        incidents.open_incident("Slow visits", words, request_id="form-of-incident", actor="o", now=utc_now())

    assert "Open incident" not in client.get("/orders/new?tool=page-visits").text


@pytest.mark.parametrize("path", ["/orders/new", "/orders/mass"])
def test_panel_without_tools_offers_no_form_to_order_with(client: FlaskClient, path: str) -> None:
    page = logged_in(client, a_customer()).get(path).text

    assert "There are no tools yet, so there is nothing to order." in page
    assert "Search tools" not in page and "Orders, one per line" not in page
    assert "Several orders at once?" not in page
