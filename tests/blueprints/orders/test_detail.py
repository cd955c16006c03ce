"""Order page: content, live updates, and access by its customer only."""

import html
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import Base, db, transaction
from panel.domain.status import Status
from panel.models import EventSource
from panel.services.money import account_entries, ledger
from panel.services.orders import dispatch, transitions
from panel.services.orders.transitions import Move, Note
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in


def _region(page: str) -> str:
    return page[page.index('<section id="live"') : page.index("</section>") + len("</section>")]


@pytest.mark.parametrize("status", list(Status))
def test_page_says_what_the_status_means_and_where_the_money_is(client: FlaskClient, status: Status) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=status, quantity=1_000)

    page = html.unescape(logged_in(client, customer).get(f"/orders/{order.id}").text)

    assert re.search(rf'id="order-{order.id}" data-status="{status}" data-delivered="\d+" data-quantity="1000"', page)
    assert status.facts.means in page
    assert status.facts.you_do in page
    assert status.facts.money_words in page
    assert f'href="/order-statuses/{status.slug}"' in page
    assert 'content="noindex"' in page


def test_money_is_a_sum_with_its_statement_lines(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, quantity=1_000, price="0.90", status=Status.PARTIAL, remains=360)
    entries = account_entries.last_entries(customer.id, count=2)

    page = logged_in(client, customer).get(f"/orders/{order.id}").text

    for entry in entries:
        assert f"Statement line {entry.id}</a>" in page
    for label, amount in (
        ("Kept", r"\$0\.576"),
        ("Returned", r"\$0\.324"),
        ("Held", r"\$0\.00"),
        ("Charged", r"\$0\.90"),
    ):
        assert re.search(rf"<dt>{label}.*</dt><dd><data[^>]*>{amount}<", page), label


def test_timeline_is_the_log_of_events_newest_first_and_escaped(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.IN_PROGRESS)
    with transaction():
        note = Note(
            transitions.lock_order(order.id), "Said something odd.", source=EventSource.PROVIDER, raw="<b>Odd</b>"
        )
        transitions.add_notes([note], now=NOON)

    page = logged_in(client, customer).get(f"/orders/{order.id}").text

    numbers = [int(number) for number in re.findall(r'id="event-(\d+)"', page)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 4
    assert "&lt;b&gt;Odd&lt;/b&gt;" in page
    assert "Order placed and charged." in page


def test_timeline_of_very_many_events_comes_in_pages(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.IN_PROGRESS, quantity=1_000)
    for remains in range(499, 379, -1):
        with transaction():
            claimed = transitions.lock_order(order.id)
            transitions.apply_moves([Move(claimed, Status.IN_PROGRESS, remains, source=EventSource.PROVIDER)], now=NOON)
    logged_in(client, customer)

    first, second = (client.get(f"/orders/{order.id}?page={page}").text for page in (1, 2))

    assert (first.count('id="event-'), second.count('id="event-')) == (100, 23)
    assert "data-hx-get" in _region(first)
    assert "data-hx-get" not in _region(second)


def test_unconfirmed_order_is_noted_beside_its_tag(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer)
    with transaction():
        transitions.set_schedule(transitions.lock_order(order.id), unconfirmed_at=NOON)

    assert dispatch.UNCONFIRMED in logged_in(client, customer).get(f"/orders/{order.id}").text


@pytest.mark.parametrize("status", [status for status in Status if status.is_moving])
def test_region_served_alone_is_the_region_in_the_page(client: FlaskClient, status: Status) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=status)
    logged_in(client, customer)

    page, alone = client.get(f"/orders/{order.id}").text, client.get(f"/orders/{order.id}/live")

    assert _region(page) == alone.text.strip()
    assert f'data-hx-ptag="{alone.headers["HX-PTag"]}"' in alone.text
    assert alone.headers["Cache-Control"] == "no-store"


def test_region_is_304_until_the_order_moves_and_stops_polling_when_it_has_ended(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.IN_PROGRESS)
    logged_in(client, customer)
    address = f"/orders/{order.id}/live"
    tag = {"HX-PTag": client.get(address).headers["HX-PTag"]}

    unchanged = client.get(address, headers=tag)
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.COMPLETED, remains=0, now=NOON)
    changed = client.get(address, headers=tag)

    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert changed.status_code == 200
    assert 'data-status="completed"' in changed.text
    assert "data-hx-" not in changed.text


def test_paused_page_does_not_poll_and_says_how_to_resume(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer)
    logged_in(client, customer)

    answer = client.get(f"/orders/{order.id}?live=off")
    page = client.get(answer.location).text

    assert (answer.status_code, answer.location) == (303, f"/orders/{order.id}")
    assert "data-hx-get" not in page
    assert "Resume updates" in page


def test_someone_elses_order_is_not_found_anywhere(client: FlaskClient) -> None:
    order = an_order(status=Status.PARTIAL)
    logged_in(client, a_customer("10"))

    for path in ("", "/live", "/receipt", "/cancellation"):
        assert client.get(f"/orders/{order.id}{path}").status_code == 404
    for path in ("/refills", "/cancellation"):
        assert client.post(f"/orders/{order.id}{path}").status_code == 404


@pytest.mark.parametrize("number", ["0", "999999", str(2**63), str(10**30)])
def test_order_that_does_not_exist_is_not_found(client: FlaskClient, number: str) -> None:
    logged_in(client, a_customer())

    for path in ("", "/live", "/receipt", "/cancellation"):
        assert client.get(f"/orders/{number}{path}").status_code == 404
    for path in ("/refills", "/cancellation"):
        assert client.post(f"/orders/{number}{path}").status_code == 404


def test_region_of_a_logged_out_visitor_is_401_without_body(client: FlaskClient) -> None:
    answer = client.get(f"/orders/{an_order().id}/live")

    assert (answer.status_code, answer.data) == (401, b"")


@pytest.mark.both_engines
def test_balance_on_a_receipt_is_the_one_of_its_moment(client: FlaskClient) -> None:
    customer = a_customer("10")
    tool = a_tool("receipts", price="2.00")
    first = an_order(customer=customer, tool=tool, status=Status.CANCELED, quantity=1_000)
    an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS, quantity=1_000)

    page = logged_in(client, customer).get(f"/orders/{first.id}/receipt").text

    assert re.search(r"Balance after</dt><dd><data[^>]*>\$10\.00<", page)


@pytest.mark.parametrize(
    ("status", "remains", "amount", "units"),
    [(Status.PARTIAL, 360, "0.324", 360), (Status.CANCELED, 1_000, "0.90", 1_000)],
)
def test_receipt_shows_the_sum_and_its_statement_line(
    client: FlaskClient, status: Status, remains: int, amount: str, units: int
) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, price="0.90", quantity=1_000, status=status, remains=remains)
    entry = account_entries.last_entries(customer.id, count=1)[0]

    page = logged_in(client, customer).get(f"/orders/{order.id}/receipt").text

    assert f"R-{order.id}" in page
    assert f'value="{amount}"' in page
    assert f"Returned: {units:,} ×" in page
    assert f"Line {entry.id}</a>" in page
    assert re.search(r"Balance after</dt><dd><data[^>]*>\$9\.", page) or status is Status.CANCELED


@pytest.mark.parametrize("status", [Status.PENDING, Status.COMPLETED, Status.REFILL])
def test_order_that_returned_nothing_has_no_receipt(client: FlaskClient, status: Status) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=status)

    assert logged_in(client, customer).get(f"/orders/{order.id}/receipt").status_code == 404


def test_pending_order_is_canceled_at_once_with_all_money_back(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, can_cancel=True)

    answer = logged_in(client, customer).post(f"/orders/{order.id}/cancellation")

    assert (answer.status_code, answer.location) == (303, f"/orders/{order.id}")
    assert "The whole amount is back on your balance." in client.get(answer.location).text
    assert ledger.balance_nanos(customer.id) == 10_000_000_000


def test_cancel_asks_before_it_acts_and_names_the_money(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, price="0.90", can_cancel=True)
    ended = an_order(customer=customer, status=Status.COMPLETED)
    logged_in(client, customer)

    page = client.get(f"/orders/{order.id}").text
    asked, refused = (client.get(f"/orders/{each.id}/cancellation") for each in (order, ended))

    assert f'href="/orders/{order.id}/cancellation" data-opens="cancel-dialog"' in page
    for text in (page[page.index("<dialog") :], asked.text):
        assert 'value="0.90"' in text and f"Cancel order {order.id}?" in text
        assert f'action="/orders/{order.id}/cancellation"' in text
    assert (refused.status_code, ledger.balance_nanos(customer.id)) == (200, 8_200_000_000)
    assert "The order has ended as Completed." in refused.text


def test_runs_of_counts_are_folded_into_one_line(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.IN_PROGRESS, quantity=1_000, remains=900)
    for remains in (800, 700, 600):
        with transaction():
            held = transitions.lock_order(order.id)
            transitions.apply_moves([Move(held, Status.IN_PROGRESS, remains, source=EventSource.PROVIDER)], now=NOON)

    page = logged_in(client, customer).get(f"/orders/{order.id}").text

    assert "<summary>Delivered 200 to 400 of 1,000, in 3 counts</summary>" in page
    assert page.count("<summary>Delivered") == 1
    folded = page[page.index("<summary>Delivered") : page.index("</details>", page.index("<summary>Delivered"))]
    assert folded.count('id="event-') == 3


def test_cancellation_that_the_terms_do_not_offer_is_a_409_with_the_reason(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, can_cancel=False)
    logged_in(client, customer)

    answer = client.post(f"/orders/{order.id}/cancellation")

    assert answer.status_code == 409
    assert answer.text.count("This tool does not offer cancellation.") == 2
    page = client.get(f"/orders/{order.id}").text
    assert f'href="/orders/{order.id}/cancellation"' not in page and 'id="cancel-dialog"' not in page


def test_refill_is_requested_once(client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.COMPLETED, now=utc_now() - timedelta(days=1), refill_days=30)
    logged_in(client, customer)
    assert 'form="refill"' in client.get(f"/orders/{order.id}").text

    first, second = (client.post(f"/orders/{order.id}/refills") for _ in range(2))

    assert (first.status_code, first.location) == (303, f"/orders/{order.id}")
    assert second.status_code == 409
    assert "A refill of this order is already running." in second.text
    assert 'data-status="refill"' in second.text


def test_actions_need_the_forms_token(client: FlaskClient, csrf: None) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer)
    logged_in(client, customer)

    assert client.post(f"/orders/{order.id}/cancellation").status_code == 400
    assert client.post(f"/orders/{order.id}/refills").status_code == 400


def test_reading_pages_changes_nothing(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("10")
    tool = a_tool("page-visits")
    order = an_order(customer=customer, tool=tool, status=Status.PARTIAL)
    logged_in(client, customer)
    values = {"order_id": order.id, "slug": "page-visits"}
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    paths = [rule.rule for rule in rules if not rule.arguments - values.keys()]
    before = _everything()

    for path in paths:
        client.get(re.sub(r"<(?:[a-z]+:)?(\w+)>", lambda part: str(values[part[1]]), path))

    assert len(paths) > 10
    assert _everything() == before


def _everything() -> dict[str, list[tuple[object, ...]]]:
    db.session.rollback()
    return {
        table.name: sorted(map(tuple, db.session.execute(select(table))), key=repr)
        for table in Base.metadata.sorted_tables
    }


def test_usual_reason_is_not_guessed_where_the_reason_is_known(client: FlaskClient) -> None:
    customer = a_customer("1000")
    by_request, by_provider = (
        an_order(customer=customer, can_cancel=True),
        an_order(customer=customer, status=Status.CANCELED),
    )
    logged_in(client, customer).post(f"/orders/{by_request.id}/cancellation")

    known, unknown = (client.get(f"/orders/{each.id}").text for each in (by_request, by_provider))

    assert "Canceled at your request" in known and "Usually the link" not in known
    assert "Usually the link" in unknown


def test_completed_order_of_a_tool_without_refill_mentions_no_refill(client: FlaskClient) -> None:
    customer = a_customer("10")
    with_refill, without = (
        an_order(customer=customer, tool=a_tool(refill_days=days), status=Status.COMPLETED) for days in (30, None)
    )
    logged_in(client, customer)

    pages = [client.get(f"/orders/{order.id}").text for order in (with_refill, without)]

    assert ["request a refill where the tool offers it" in page for page in pages] == [True, False]
    assert "This tool does not offer refill." in pages[1]
