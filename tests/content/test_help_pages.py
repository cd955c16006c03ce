"""Help pages, for visitors and search engines."""

import json
import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from panel.blueprints.shared import help_texts as help_pages
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.refill import RefillState
from panel.domain.status import Status, possible_sources
from panel.models import Order, Refill
from panel.services import delivery_times
from panel.services.help.content import PARTS
from panel.services.help.worked_examples import worked_sum
from tests.content.pages import PAGES, STATUS_PAGES, main_of, page, words
from tests.support.factories import a_customer, an_order, logged_in


def listed(html: str, list_id: str) -> list[str]:
    found = re.search(rf'<ul id="{list_id}"[^>]*>(.*?)</ul>', html, re.S)
    return re.findall(r'data-status="([a-z_]+)"', found[1]) if found else []


def test_a_visitor_can_read_it_and_is_led_on(client: FlaskClient) -> None:
    for path in PAGES:
        html = page(client, path)

        assert 'href="/orders"' in html and 'href="/sign-up"' in html
        assert html.count("<h1") == 1
        assert "2026" in html and "Last updated" in html


def test_logged_in_user_is_not_asked_to_create_an_account(client: FlaskClient) -> None:
    for path in PAGES:
        html = page(logged_in(client, a_customer()), path)

        assert ">Create an account</a>" not in re.sub(r"<footer.*", "", html, flags=re.S)


def test_a_status_page_shows_the_facts_of_the_table(client: FlaskClient) -> None:
    for status in Status:
        html = page(client, f"/order-statuses/{status.slug}")

        for fact in (status.facts.means, status.facts.you_do, status.facts.money_words):
            assert fact in words(html)
        assert listed(html, "can-become") == list(status.facts.next)
        assert listed(html, "came-from") == list(possible_sources(status))


def test_a_status_page_has_its_parts_in_one_order(client: FlaskClient) -> None:
    for status in Status:
        headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page(client, f"/order-statuses/{status.slug}"))

        assert headings[:7] == [*PARTS, "Related"]


def test_a_status_page_shows_the_worked_sum(client: FlaskClient) -> None:
    for status in Status:
        remains = help_pages.texts().statuses[status].keys.remains
        worked = worked_sum(status, remains=remains)

        text = words(page(client, f"/order-statuses/{status.slug}"))

        assert f"On hold for the order {money.shown(worked.held_nanos)}" in text
        assert f"Kept {money.shown(worked.kept_nanos)}" in text
        assert f"Returned to your balance {money.shown(worked.returned_nanos)}" in text
        assert f"Charged when you ordered {money.shown(worked.charge_nanos)}" in text


def test_titles_and_descriptions_are_unique_and_of_a_good_length(client: FlaskClient) -> None:
    titles, descriptions = [], []
    for path in PAGES:
        html = page(client, path)
        titles.append(unescape(re.search(r"<title>(.*?)</title>", html, re.S)[1]).strip())
        descriptions.append(unescape(re.search(r'<meta name="description" content="([^"]*)"', html)[1]))

    assert len(set(titles)) == len(set(descriptions)) == len(PAGES)
    assert [title for title in titles if len(title) > 65] == []
    assert [text for text in descriptions if not 50 <= len(text) <= 170] == []


def test_canonical_and_data_name_the_page_and_say_what_it_shows(client: FlaskClient) -> None:
    for path in PAGES:
        html = page(client, f"{path}?from=elsewhere")

        address = f"http://127.0.0.1:8000{path}"
        assert f'<link rel="canonical" href="{address}">' in html
        blocks = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)
        assert len(blocks) == 1
        nodes = json.loads(blocks[0])["@graph"]
        assert nodes[0]["url"] == address and nodes[0]["name"] in words(html)
        assert nodes[0]["dateModified"] in html
        assert [step["position"] for step in nodes[1]["itemListElement"]] == list(
            range(1, len(nodes[1]["itemListElement"]) + 1)
        )


def test_the_data_of_the_questions_is_the_text_of_the_page(client: FlaskClient) -> None:
    html = page(client, "/faq")

    data = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)[1])
    asked = data["@graph"][0]["mainEntity"]
    assert len(asked) == len(help_pages.texts().questions)
    for question in asked:
        assert f"{question['name']} {question['acceptedAnswer']['text']}" in words(html)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("/order-statuses/cancelled", "/order-statuses/canceled"),
        ("/order-statuses/in_progress", "/order-statuses/in-progress"),
        ("/order-statuses/Partial", "/order-statuses/partial"),
        ("/order-statuses/partial/", "/order-statuses/partial"),
        ("/order-statuses/cancelled/", "/order-statuses/canceled"),
        ("/order-statuses/", "/order-statuses"),
        ("/faq/", "/faq"),
        ("/getting-started/", "/getting-started"),
    ],
)
def test_another_spelling_moves_to_the_one_address(client: FlaskClient, path: str, address: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 301
    assert urlsplit(answer.location).path == address


def test_a_status_that_does_not_exist_is_not_found(client: FlaskClient) -> None:
    assert client.get("/order-statuses/paused").status_code == 404
    assert client.get("/order-statuses/paused/").status_code == 404


def test_every_link_inside_the_texts_is_answered(client: FlaskClient) -> None:
    for path in PAGES:
        main = main_of(page(client, path))
        for address in set(re.findall(r'href="(/[^"#]*)', main)):
            assert client.get(address).status_code in (200, 302, 303), f"{path} links to {address}"


def test_without_orders_no_time_and_no_share_is_claimed(client: FlaskClient) -> None:
    for path in [*STATUS_PAGES, "/order-statuses"]:
        assert re.search("not enough data yet", words(page(client, path))), path
    figures = re.findall(r'<div id="figure-\w+"><dt>.*?</dt><dd>(.*?)<p', page(client, "/reliability"), re.S)
    assert len(figures) == 7 and all(figure.strip().endswith(" yet") for figure in figures), figures


def _ended(count: int, status: Status, *, minutes: int) -> None:
    now = utc_now()
    for _ in range(count):
        order = an_order(status=status)
        done = now if status is Status.COMPLETED else None
        placed_at = now - timedelta(minutes=minutes)
        with transaction():
            db.session.execute(
                update(Order)
                .where(Order.id == order.id)
                .values(placed_at=placed_at, started_at=done, completed_at=done, ended_at=now)
            )


def test_times_and_shares_are_those_of_the_panels_own_orders(client: FlaskClient) -> None:
    _ended(18, Status.COMPLETED, minutes=6)
    _ended(2, Status.COMPLETED, minutes=40)
    _ended(5, Status.CANCELED, minutes=3)

    completed = words(page(client, "/order-statuses/completed"))
    overview = words(page(client, "/order-statuses"))

    assert "median 6 minutes, 90 of 100 within 6 minutes (last 30 days, 20 orders)" in completed
    assert "Of the 25 orders that ended in the last 30 days, 80% were Completed." in overview


def test_orders_of_long_ago_are_not_counted(app: Flask) -> None:
    _ended(20, Status.COMPLETED, minutes=6)

    assert delivery_times.time_to_completion(now=utc_now() + delivery_times.WINDOW * 2) is None


def test_one_reading_serves_a_minute(app: Flask) -> None:
    assert delivery_times.share_completed(now=utc_now()) is None
    _ended(20, Status.COMPLETED, minutes=6)

    assert delivery_times.share_completed(now=utc_now()) is None
    assert delivery_times.share_completed(now=utc_now() + delivery_times.MAX_AGE) == delivery_times.Share(
        completed=20, ended=20
    )


def test_the_times_of_an_end_and_of_refills_are_measured(client: FlaskClient) -> None:
    _ended(20, Status.CANCELED, minutes=3)
    now = utc_now()
    order = an_order(status=Status.COMPLETED)
    asked = {"order_id": order.id, "state": RefillState.COMPLETED, "ended_at": now}
    with transaction():
        db.session.add_all([Refill(**asked, asked_at=now - timedelta(minutes=9)) for _ in range(20)])

    canceled, refill = (words(page(client, f"/order-statuses/{slug}")) for slug in ("canceled", "refill"))

    assert "From placing an order to Canceled: median 3 minutes" in canceled and "20 orders)" in canceled
    assert "to its end: median 9 minutes" in refill and "20 refills)" in refill


def test_reliability_counts_refunds(client: FlaskClient) -> None:
    _ended(12, Status.CANCELED, minutes=3)
    _ended(8, Status.PARTIAL, minutes=3)

    returned = db.session.scalar(select(func.sum(Order.returned_nanos)))
    shown = words(page(client, "/reliability"))
    assert f"20 of 20 orders (last 30 days), {money.shown(int(returned or 0))} in all" in shown

    with transaction():
        db.session.execute(update(Order).where(Order.id == 1).values(returned_nanos=Order.returned_nanos - 1))
    delivery_times.clear_cache()

    assert "19 of 20 orders (last 30 days)" in words(page(client, "/reliability"))


def test_help_page_links_to_a_ticket_about_the_order(client: FlaskClient) -> None:
    customer = a_customer("1000")
    mine, _other = an_order(customer=customer, status=Status.PARTIAL), an_order(status=Status.PARTIAL)

    html = page(logged_in(client, customer), "/order-statuses/partial")

    assert re.findall(r'href="(/tickets/new\?order=\d+)"', html) == [f"/tickets/new?order={mine.id}"]
    assert f"#{mine.id}" in words(page(client, f"/tickets/new?order={mine.id}")).replace("order ", "#")
    assert "/tickets/new?order=" not in page(client, "/order-statuses/canceled")


def test_a_visitor_is_led_to_a_ticket_by_the_number_of_the_order(client: FlaskClient) -> None:
    html = page(client, "/order-statuses/pending")

    assert re.search(r'<form[^>]* method="get" action="/tickets/new">\s*<label for="order">', html)
    assert client.get("/tickets/new?order=1").location.startswith("/log-in?next=/tickets/new")


@pytest.mark.parametrize("path", [*PAGES, "/api"])
def test_apostrophes_are_typographic_outside_code(client: FlaskClient, path: str) -> None:
    prose = re.sub(r"<(code|pre)\b.*?</\1>", " ", page(client, path), flags=re.S)

    assert re.findall(r"\w+'\w+", words(prose)) == []
    assert re.findall(r'<meta name="description" content="[^"]*&#39;', prose) == []
