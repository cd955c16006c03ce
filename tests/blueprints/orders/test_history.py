"""Order history page, live region and CSV file: access, filters, and polling."""

import csv
import io
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Catalogue, Order, User
from panel.services.accounts import sessions
from panel.services.orders import history as order_history
from panel.services.orders import transitions
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in, new_terms, reload


@pytest.fixture
def customer() -> User:
    return a_customer("1000")


@pytest.fixture
def client(client: FlaskClient, customer: User) -> FlaskClient:
    return logged_in(client, customer)


def region_of(page: str) -> str:
    return page[page.index('<section id="live"') : page.index("</section>") + len("</section>")]


def tag_of(page: str) -> str:
    return re.search(r'data-hx-ptag="(\w+)"', page)[1]  # type: ignore[index]


def row_ids(page: str) -> list[int]:
    return [int(found) for found in re.findall(r'<tr id="order-(\d+)"', page)]


@pytest.mark.parametrize("query", ["", "?status=in-progress", "?q=example&from=2026-11-01&to=2026-11-30&after=1000"])
def test_region_served_alone_is_the_region_in_the_page(client: FlaskClient, customer: User, query: str) -> None:
    for status in Status:
        an_order(customer=customer, status=status)

    page, alone = client.get(f"/orders{query}").text, client.get(f"/orders/live{query}").text

    assert alone == region_of(page)
    assert f'data-hx-get="/orders/live{query.replace("&", "&amp;")}"' in alone


@pytest.mark.both_engines
def test_page_shows_each_order_with_its_hooks(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer, status=Status.PARTIAL, link="https://example.com/a-page", now=NOON)

    page = client.get("/orders")

    assert page.status_code == 200
    assert f'<tr id="order-{order.id}" data-status="partial">' in page.text
    assert "500 of 1,000" in page.text and "https://example.com/a-page" in page.text
    assert 'returned <data class="money" value="0.45" data-places="2">$0.45</data>' in page.text
    assert 'title="20 November 2026, 12:00 UTC">20 Nov' in page.text
    assert page.headers["Cache-Control"] == "no-store"


def test_nobody_sees_another_customers_orders(client: FlaskClient, customer: User) -> None:
    theirs = an_order(link="https://example.com/theirs-alone")

    answers = [client.get(path).text for path in ("/orders", "/orders/live", "/orders.csv", f"/orders?q={theirs.id}")]

    assert not any("theirs-alone" in text or f'id="order-{theirs.id}"' in text for text in answers)


@pytest.mark.parametrize(("path", "status"), [("/orders", 303), ("/orders.csv", 303), ("/orders/live", 401)])
def test_visitors_are_redirected_to_log_in_and_fragments_get_a_401(app: object, path: str, status: int) -> None:
    answer = app.test_client().get(path)  # type: ignore[attr-defined]

    assert answer.status_code == status
    assert (answer.data == b"") == (status == 401)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("status=done", "status", "There is no such status"),
        ("tool=never-there", "tool", "There is no such tool"),
        ("from=yesterday", "from", "not a day we know"),
        ("from=2026-11-21&to=2026-11-20", "from", "after the last day"),
        ("q=%01", "q", "Search for an order number"),
    ],
)
def test_invalid_filter_has_an_error_at_its_field(client: FlaskClient, query: str, field: str, message: str) -> None:
    page = client.get(f"/orders?{query}&to=2026-11-20")

    assert page.status_code == client.get(f"/orders/live?{query}").status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*{message}', page.text)
    assert 'value="2026-11-20"' in page.text and 'id="live"' not in page.text


def test_a_page_that_cannot_be_is_refused(client: FlaskClient) -> None:
    page = client.get("/orders?after=0")

    assert page.status_code == 422 and "There is no such page" in page.text


def test_links_between_pages_keep_the_filters(client: FlaskClient, customer: User) -> None:
    tool = a_tool("visits")
    made = [an_order(customer=customer, tool=tool).id for _ in range(order_history.PAGE_SIZE + 2)]

    first = client.get("/orders?tool=visits").text
    after = re.search(r'rel="next" href="(/orders\?tool=visits&amp;after=\d+)"', first)[1]  # type: ignore[index]
    second = client.get(after.replace("&amp;", "&")).text

    assert row_ids(first) == made[:1:-1] and row_ids(second) == made[1::-1]
    assert 'rel="next"' not in second and 'href="/orders?tool=visits"' in second


def test_views_are_all_and_each_status_with_their_counts(client: FlaskClient, customer: User) -> None:
    for status in (Status.PENDING, Status.PARTIAL, Status.PARTIAL):
        an_order(customer=customer, status=status)

    page = client.get("/orders?status=partial").text

    shown = re.findall(r'<a id="view-([a-z-]+)" href="([^"]+)"( aria-current="page")?>([^<]+) <span[^>]*>(\d+)', page)
    assert [(name, label) for name, _url, _here, label, _count in shown] == [
        ("all", "All"),
        *((status.slug, status.label) for status in Status),
    ]
    counts = {name: int(count) for name, *_rest, count in shown}
    assert (counts["all"], counts["pending"], counts["partial"], counts["refill"]) == (3, 1, 2, 0)
    assert [name for name, _url, here, *_rest in shown if here] == ["partial"]


def test_empty_history_explains_what_will_be_listed(client: FlaskClient) -> None:
    page = client.get("/orders").text

    assert "You have no orders yet" in page and 'href="/tools"' in page


def test_an_empty_result_names_the_filter_and_clears_it(client: FlaskClient, customer: User) -> None:
    an_order(customer=customer)

    page = client.get("/orders?status=canceled&q=%3Cb%3E").text

    assert "No orders match status Canceled, “&lt;b&gt;”." in page
    assert '<a href="/orders">Show all orders</a>' in page


def test_unchanged_history_is_304_until_an_order_changes(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer)
    tag = tag_of(client.get("/orders").text)

    unchanged = client.get("/orders/live", headers={"HX-PTag": tag})
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PROCESSING, remains=1000, now=NOON)
    changed = client.get("/orders/live", headers={"HX-PTag": tag})

    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert changed.status_code == 200 and 'data-status="processing"' in changed.text
    assert changed.headers["HX-PTag"] == tag_of(changed.text) != tag


def test_polling_ends_when_nothing_shown_can_move(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer, status=Status.IN_PROGRESS)
    before = client.get("/orders/live").text
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.COMPLETED, remains=0, now=NOON)

    assert 'data-hx-trigger="every 3s"' in before
    assert "data-hx" not in client.get("/orders/live").text


def test_updates_can_be_paused_and_resumed_for_the_session(client: FlaskClient, customer: User) -> None:
    an_order(customer=customer)

    paused = client.get("/orders?status=pending&live=off")
    while_paused = client.get("/orders?status=pending").text
    client.get("/orders?live=on")

    assert (paused.status_code, paused.location) == (303, "/orders?status=pending")
    assert "data-hx-get" not in while_paused and "Resume updates" in while_paused
    assert "data-hx-get" in client.get("/orders").text


def test_an_unconfirmed_order_says_so_beside_its_tag(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer)
    before = client.get("/orders/live").text
    with transaction():
        row = transitions.lock_order(order.id)
        transitions.set_schedule(row, unconfirmed_at=NOON)
        transitions.add_notes([transitions.Note(row, "Not confirmed.")], now=NOON)

    assert "Not confirmed yet" not in before
    assert "Not confirmed yet" in client.get("/orders/live").text


def test_a_tool_that_is_renamed_leaves_the_rows_of_its_past_orders(client: FlaskClient, customer: User) -> None:
    tool = a_tool("visits")
    new_terms(tool, name="Page <visits>")
    an_order(customer=customer, tool=tool)
    with transaction():
        tool.name = "Another name"
        db.session.merge(tool)
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))

    page = client.get("/orders/live").text

    assert '<td class="order-table__tool">Page &lt;visits&gt;</td>' in page and "Another name</td>" not in page


def test_links_of_customers_are_text(client: FlaskClient, customer: User) -> None:
    tool = a_tool(link_pattern=r"https://example\.com/.*")
    an_order(customer=customer, tool=tool, link='https://example.com/"><b>')

    assert "https://example.com/&#34;&gt;&lt;b&gt;" in client.get("/orders").text


def test_file_holds_what_the_filters_leave_in_plain_figures(
    client: FlaskClient, customer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_history, "BATCH_SIZE", 2)
    tool = a_tool("visits", price="1.5")
    made = [an_order(customer=customer, tool=tool, status=Status.PARTIAL, now=NOON).id for _ in range(5)]
    an_order(customer=customer, tool=tool)

    answer = client.get("/orders.csv?status=partial")
    rows = list(csv.DictReader(io.StringIO(answer.text)))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [int(row["order"]) for row in rows] == made[::-1]
    assert {row["charged"] for row in rows} == {"1.50"} and {row["returned"] for row in rows} == {"0.75"}
    assert rows[0]["placed_at"] == "2026-11-20T12:00:00Z" and rows[0]["tool"] == "visits"
    assert (rows[0]["delivered"], rows[0]["remains"], rows[0]["quantity"]) == ("500", "500", "1000")


def test_no_cell_of_the_file_is_a_formula(client: FlaskClient, customer: User) -> None:
    an_order(customer=customer, tool=a_tool(link_pattern=r".*"))
    with transaction():
        db.session.execute(update(Order).values(link='=HYPERLINK("https://evil.example")'))

    cells = next(iter(csv.DictReader(io.StringIO(client.get("/orders.csv").text))))

    assert cells["link"] == '\'=HYPERLINK("https://evil.example")'


def test_a_bad_filter_makes_no_file(client: FlaskClient) -> None:
    answer = client.get("/orders.csv?status=done")

    assert answer.status_code == 422 and answer.mimetype == "text/html"


def test_looking_changes_nothing(client: FlaskClient, customer: User) -> None:
    an_order(customer=customer)
    versions = (reload(customer).state_version, sessions.devices(customer.id, now=NOON + timedelta(days=5))[0].seen_at)

    for path in ("/orders", "/orders/live", "/orders.csv", "/orders?live=off"):
        client.get(path)

    now = (reload(customer).state_version, sessions.devices(customer.id, now=NOON + timedelta(days=5))[0].seen_at)
    assert now == versions
