"""Catalogue pages: every term is shown, and hidden tools are not."""

import html
import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.status import Status
from panel.services import delivery_times
from panel.services.catalogue import tools
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order, logged_in, new_terms

FIELDS = (
    "delivered",
    "price",
    "least",
    "most",
    "link",
    "start",
    "completion",
    "pace",
    "statuses",
    "refill",
    "cancel",
    "changed",
)


def term(page: str, name: str) -> str:
    """The page's text for one term, without markup."""
    found = re.search(
        rf'<div id="term-{name}"><dt>(.*?)</dt><dd>(.*?)</dd></div>', page.replace(' class="break"', ""), re.S
    )
    assert found is not None, name
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", found[2])).split())


def test_the_list_shows_price_limits_refill_and_cancel_by_name(client: FlaskClient) -> None:
    a_tool("zebra-visits", price="0.90", minimum=50, maximum=10_000, refill_days=30, can_cancel=False)
    a_tool("apple-visits", refill_days=None)
    a_tool("hidden-visits", is_hidden=True)

    page = client.get("/tools").text

    assert page.index("Apple visits") < page.index("Zebra visits")
    assert "Hidden visits" not in page
    row = page[page.index('<tr id="tool-zebra-visits">') :]
    for words in ("$0.90", "50–10,000", "30 days", ">No<", "Not enough data yet"):
        assert words in row


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["with-refill", "without-refill"]),
        ("?refill=yes", ["with-refill"]),
        ("?refill=no", ["without-refill"]),
        ("?refill=maybe", ["with-refill", "without-refill"]),
        ("?category=Pages&refill=", ["with-refill", "without-refill"]),
        ("?category=Pages&refill=no", ["without-refill"]),
        ("?category=Elsewhere", []),
    ],
)
def test_the_list_is_filtered_by_its_form(client: FlaskClient, query: str, shown: list[str]) -> None:
    a_tool("with-refill", refill_days=30)
    a_tool("without-refill", refill_days=None)

    answer = client.get(f"/tools{query}")

    assert answer.status_code == 200
    assert re.findall(r'<tr id="tool-([a-z-]+)">', answer.text) == shown
    if not shown:
        assert "No tool in the category “Elsewhere”" in answer.text
        assert '<a href="/tools">Show all tools</a>' in answer.text


def test_the_list_is_sorted_by_price_where_asked(client: FlaskClient) -> None:
    for slug, price in (("apple-visits", "0.90"), ("berry-visits", "0.10"), ("cherry-visits", "0.90")):
        a_tool(slug, price=price)

    by_name, by_price = (
        re.findall(r'<tr id="tool-([a-z-]+)">', client.get(f"/tools?sort={sort}").text) for sort in ("", "price")
    )

    assert by_name == ["apple-visits", "berry-visits", "cherry-visits"]
    assert by_price == ["berry-visits", "apple-visits", "cherry-visits"]


def test_a_favorite_is_marked_found_and_first_in_the_order_form(client: FlaskClient) -> None:
    a_tool("apple-visits")
    a_tool("berry-visits")
    logged_in(client, a_customer())

    answers = [client.post("/tools/berry-visits/favorite", data={"favorite": "yes"}) for _ in range(2)]

    assert [(answer.status_code, answer.headers["Location"]) for answer in answers] == [
        (303, "/tools/berry-visits")
    ] * 2
    assert "Remove from favorites" in client.get("/tools/berry-visits").text
    assert client.get("/tools").text.count("Your favorite<") == 1
    assert re.findall(r'<tr id="tool-([a-z-]+)">', client.get("/tools?favorites=yes").text) == ["berry-visits"]
    form = client.get("/orders/new").text
    assert re.findall(r'<h3>(.*?)</h3>|id="pick-([a-z-]+)"', form) == [
        ("Your favorites", ""),
        ("", "berry-visits"),
        ("Other tools", ""),
        ("", "apple-visits"),
    ]


def test_a_favorite_can_be_dropped(client: FlaskClient) -> None:
    a_tool("berry-visits")
    logged_in(client, a_customer())
    client.post("/tools/berry-visits/favorite", data={"favorite": "yes"})

    for _ in range(2):
        assert client.post("/tools/berry-visits/favorite", data={"favorite": "no"}).status_code == 303

    assert "Add to favorites" in client.get("/tools/berry-visits").text
    assert "You have no favorites yet." in client.get("/tools?favorites=yes").text
    assert "Your favorites" not in client.get("/orders/new").text


def test_favorites_are_of_one_person_alone(app: Flask) -> None:
    a_tool("berry-visits")
    one, other, stranger = (app.test_client() for _ in range(3))
    for each in (one, other):
        logged_in(each, a_customer())

    one.post("/tools/berry-visits/favorite", data={"favorite": "yes"})

    assert "Remove from favorites" in one.get("/tools/berry-visits").text
    assert "Add to favorites" in other.get("/tools/berry-visits").text
    assert "favorites" not in stranger.get("/tools/berry-visits").text
    assert stranger.post("/tools/berry-visits/favorite").headers["Location"].startswith("/log-in")
    assert one.post("/tools/no-such-tool/favorite").status_code == 404


def test_a_filtered_list_is_not_for_search_engines(client: FlaskClient) -> None:
    a_tool("page-visits")

    assert 'name="robots" content="index, follow"' in client.get("/tools").text
    assert 'name="robots" content="noindex"' in client.get("/tools?refill=yes").text


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("/tools", "/tools"),
        ("/tools?utm_source=mail", "/tools"),
        ("/tools?refill=perhaps", "/tools"),
        ("/tools?sort=price&utm_source=mail&category=Web%20pages", "/tools?category=Web+pages&amp;sort=price"),
    ],
)
def test_a_list_points_to_itself_by_its_filters_alone(client: FlaskClient, address: str, canonical: str) -> None:
    site = "http://127.0.0.1:8000"

    assert f'<link rel="canonical" href="{site}{canonical}">' in client.get(address).text


def test_an_empty_catalogue_says_so(client: FlaskClient) -> None:
    page = client.get("/tools").text

    assert "There are no tools yet." in page and 'href="/contact"' in page
    assert "Search tools" not in page


@pytest.mark.parametrize("can_cancel", [True, False])
@pytest.mark.parametrize("refill_days", [30, None])
def test_tool_page_shows_every_term(client: FlaskClient, refill_days: int | None, can_cancel: bool) -> None:
    a_tool("page-visits", price="0.864", minimum=50, maximum=10_000, refill_days=refill_days, can_cancel=can_cancel)

    page = client.get("/tools/page-visits").text
    shown = {name: term(page, name) for name in FIELDS}

    assert shown["delivered"] == "Visits"
    assert shown["price"] == "$0.864"
    assert shown["least"] == "50 visits, for $0.0432"
    assert shown["most"] == "10,000 visits"
    assert LINK in shown["link"]
    assert shown["start"] == shown["completion"] == "Not enough data yet"
    assert shown["refill"].startswith("Yes, for 30 days" if refill_days else "No.")
    assert shown["cancel"].startswith("Yes." if can_cancel else "No.")
    assert shown["statuses"].split(", ") == [
        status.label for status in Status if refill_days or status is not Status.REFILL
    ]
    assert shown["changed"] == "20 November 2026, 12:00 UTC, terms version 1"
    assert ('id="term-drop"' in page) == bool(refill_days)
    assert "https://example.com/</code>" in page
    assert "What makes it fail" in page


def test_the_worked_price_and_the_part_returned_are_exact(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90", minimum=50, maximum=10_000)

    page = " ".join(re.sub(r"<[^>]+>", "", client.get("/tools/page-visits").text).split())

    for words in ("50 visits$0.90$0.045", "1,000 visits$0.90$0.90", "10,000 visits$0.90$9.00"):
        assert words in page
    assert "If 400 of 1,000 cannot be delivered" in page
    assert "$0.36 is returned to your balance and $0.54 of the $0.90 is kept" in page


def test_a_change_of_terms_is_logged_on_the_page(client: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90")
    new_terms(tool, now=NOON + timedelta(hours=1), price_micros_per_thousand=1_000_000)

    page = client.get("/tools/page-visits").text

    log = page[page.index('id="changes"') :]
    assert log.index('id="terms-2"') < log.index('id="terms-1"')
    newest = " ".join(re.sub(r"<[^>]+>", "", log[log.index('id="terms-2"') : log.index('id="terms-1"')]).split())
    assert "$1.00 per 1,000 before: $0.90 per 1,000" in newest and "13:00 UTC" in newest
    assert newest.count("before:") == 1


def test_a_hidden_or_unknown_tool_is_not_found(client: FlaskClient) -> None:
    a_tool("hidden-visits", is_hidden=True)

    for address in ("/tools/hidden-visits", "/tools/nothing", "/tools/..%2fsecret_key", "/tools/Page-Visits"):
        assert client.get(address).status_code == 404


def test_ordering_keeps_the_tool_through_log_in(client: FlaskClient) -> None:
    a_tool("page-visits")

    stranger = client.get("/tools/page-visits").text
    customer = logged_in(client, a_customer()).get("/tools/page-visits").text

    assert 'href="/log-in?next=/orders/new%3Ftool%3Dpage-visits"' in stranger
    assert 'href="/orders/new?tool=page-visits"' in customer


def test_titles_and_descriptions_are_unique(client: FlaskClient) -> None:
    a_tool("page-visits")
    a_tool("song-plays")

    pages = [client.get(address).text for address in ("/tools", "/tools/page-visits", "/tools/song-plays")]

    for part in (r"<title>(.*?)</title>", r'name="description" content="(.*?)"'):
        found = [re.search(part, page) for page in pages]
        assert len({each[1] for each in found if each}) == 3


def test_every_page_of_the_demo_catalogue_is_shown_with_its_text(client: FlaskClient) -> None:
    with transaction():
        tools.import_demo(now=NOON)

    for tool in tools.listed():
        answer = client.get(f"/tools/{tool.slug}")
        assert answer.status_code == 200
        assert f"<h1>{tool.name}</h1>" in answer.text
        assert "How it runs" in answer.text
        description = re.search(r'name="description" content="(.*?)"', answer.text)
        title = re.search(r"<title>(.*?)</title>", answer.text)
        assert description and 50 <= len(html.unescape(description[1])) <= 170
        assert title and len(html.unescape(title[1])) <= 65


def test_measured_times_are_shown_once_there_are_enough_orders(client: FlaskClient) -> None:
    customer, tool = a_customer("1000"), a_tool("page-visits")
    for _ in range(delivery_times.MIN_SAMPLE):
        an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=utc_now())
    delivery_times.clear_cache()

    page = client.get("/tools/page-visits").text

    sample = f"(last {delivery_times.WINDOW.days} days, {delivery_times.MIN_SAMPLE} orders)"
    assert term(page, "start").endswith(sample)
    assert term(page, "completion").endswith(sample)


def test_looking_changes_nothing(client: FlaskClient) -> None:
    a_tool("page-visits")
    before = (tools.version(), tools.listed_all())

    client.get("/tools")
    client.get("/tools/page-visits")

    assert (tools.version(), tools.listed_all()) == before


def test_search_engines_get_the_price_that_the_page_shows(client: FlaskClient) -> None:
    a_tool(slug="readers", price="0.90")
    page = client.get("/tools/readers").text

    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.S)

    assert found is not None
    offered = json.loads(found[1])["@graph"][0]["mainEntity"]["offers"]["priceSpecification"]
    assert (offered["price"], offered["priceCurrency"], offered["referenceQuantity"]["value"]) == ("0.90", "USD", 1000)
    assert "$0.90" in page
