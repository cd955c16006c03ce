"""Ticket pages: the list, the form, the thread with its live region, and access."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Ticket, TicketEntry, User
from panel.services.money import account_entries
from panel.services.orders import refills
from panel.services.tickets import limits
from tests.support.factories import NOON, a_customer, an_operator, an_order, logged_in, reload
from tests.support.ticket_factories import a_request_id, a_ticket, answered

HOSTILE = '<script>alert(1)</script> {{ 7 * 7 }} {% raw %} =HYPERLINK("x") " onx=\'1\''


def form(**fields: object) -> dict[str, str]:
    given = {"kind": "other", "subject": "A question", "text": "When?", "request_id": a_request_id(), **fields}
    return {name: str(value) for name, value in given.items()}


def count(model: type[Ticket] | type[TicketEntry]) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model)) or 0


@pytest.fixture
def customer() -> User:
    return a_customer("10")


def test_empty_list_explains_what_will_be_listed(client: FlaskClient, customer: User) -> None:
    page = logged_in(client, customer).get("/tickets").text

    assert "You have no tickets yet." in page
    assert 'href="/tickets/new"' in page
    assert 'content="noindex"' in page


def test_list_says_who_must_act_and_its_views_narrow_it(client: FlaskClient, customer: User) -> None:
    waiting, done = a_ticket(customer=customer, subject="First"), a_ticket(customer=customer, subject="Second")
    answered(done, operator=an_operator())
    logged_in(client, customer)

    everything = client.get("/tickets").text
    for_you = client.get("/tickets?state=waiting-for-you").text
    none = client.get("/tickets?state=closed").text
    wrong = client.get("/tickets?state=lost")

    assert f'id="ticket-{waiting.id}" data-state="waiting-for-us"' in everything
    assert f'id="ticket-{done.id}" data-state="waiting-for-you"' in everything
    assert "We have answered. Write back, or close the ticket." in everything
    assert f"ticket-{done.id}" in for_you and f"ticket-{waiting.id}" not in for_you
    assert "You have no tickets that are closed." in none
    assert (wrong.status_code, "This filter doesn’t exist." in wrong.text) == (422, True)


def test_ticket_opens_and_shows_its_thread(client: FlaskClient, customer: User) -> None:
    logged_in(client, customer)
    request_id = re.findall(r'name="request_id" value="([^"]+)"', client.get("/tickets/new").text)

    answer = client.post("/tickets", data=form(request_id=request_id[0], subject="Where is it?", text="One.\r\nTwo."))
    page = client.get(answer.location).text

    assert answer.status_code == 303
    assert re.fullmatch(r"/tickets/\d+", answer.location)
    assert "Where is it?" in page
    assert "One.\nTwo." in page
    assert "Waiting for us" in page
    assert re.search(
        r"<strong>You</strong>, <time[^>]*>\d+ \w+ \d{4}</time>, <time[^>]*>\d\d:\d\d:\d\d UTC</time>", page
    )


def test_form_sent_twice_is_one_ticket_and_other_words_keep_what_was_typed(client: FlaskClient, customer: User) -> None:
    logged_in(client, customer)
    sent = form()

    first, second = (client.post("/tickets", data=sent) for _ in range(2))
    other = client.post("/tickets", data={**sent, "text": "Something else"})

    assert (second.status_code, second.location) == (303, first.location)
    assert other.status_code == 409
    assert "Something else</textarea>" in other.text
    assert f'value="{sent["request_id"]}"' not in other.text
    assert count(Ticket) == 1


@pytest.mark.parametrize("what", ["order", "refill", "line"])
def test_form_and_ticket_show_their_subject_as_facts(client: FlaskClient, customer: User, what: str) -> None:
    order = an_order(customer=customer, status=Status.COMPLETED)
    with transaction():
        refill_id = refills.request_refill(order.id, customer_id=customer.id, now=NOON).id
    line = account_entries.last_entries(customer.id, count=1)[0].id
    numbers = {"order": order.id, "refill": refill_id, "line": line}
    name = {
        "order": f"order {order.id}",
        "refill": f"refill {refill_id} of order {order.id}",
        "line": f"statement line {line}",
    }
    logged_in(client, customer)

    page = client.get(f"/tickets/new?{what}={numbers[what]}").text
    opened = client.post("/tickets", data=form(**{what: numbers[what]}))
    thread = client.get(opened.location).text

    assert f"Open a ticket about {name[what]}" in page
    assert f'<input type="hidden" name="{what}" value="{numbers[what]}">' in page
    kind = "money" if what == "line" else "order"
    assert f'<option value="{kind}" selected>' in page
    for shown in (page, thread):
        assert order.link in shown
        assert f'href="/orders/{order.id}"' in shown
    assert name[what].capitalize() in html.unescape(client.get("/tickets").text)


@pytest.mark.parametrize(
    "query", ["order=999999", "order=x", "order=-1", f"line={10**17}", "refill=5", "order=1&line=1"]
)
def test_missing_subject_is_not_found(client: FlaskClient, customer: User, query: str) -> None:
    logged_in(client, customer)

    assert client.get(f"/tickets/new?{query}").status_code == 404
    assert client.post("/tickets", data=form(**dict(part.split("=") for part in query.split("&")))).status_code == 404
    assert count(Ticket) == 0


def test_subject_of_another_customer_is_not_found(client: FlaskClient, customer: User) -> None:
    order = an_order(status=Status.COMPLETED)
    with transaction():
        refill_id = refills.request_refill(order.id, customer_id=order.customer_id, now=NOON).id
    line = account_entries.last_entries(order.customer_id, count=1)[0].id
    logged_in(client, customer)

    for what, number in (("order", order.id), ("refill", refill_id), ("line", line)):
        assert client.get(f"/tickets/new?{what}={number}").status_code == 404
        assert client.post("/tickets", data=form(**{what: number})).status_code == 404
    assert count(Ticket) == 0


def test_form_with_errors_keeps_its_values(client: FlaskClient, customer: User) -> None:
    logged_in(client, customer)

    answer = client.post("/tickets", data=form(kind="", subject="", text="bad\x01sign"))

    assert answer.status_code == 422
    for words in ("Choose what it is about.", "The subject is missing.", "The text holds a control sign"):
        assert words in answer.text
    assert "bad" in answer.text


def test_eleventh_ticket_of_an_hour_is_a_429_with_the_form_as_typed(client: FlaskClient, customer: User) -> None:
    logged_in(client, customer)
    for _ in range(limits.MAX_NEW_TICKETS):
        assert client.post("/tickets", data=form()).status_code == 303

    answer = client.post("/tickets", data=form(text="One too many"))

    assert answer.status_code == 429
    assert 3500 < int(answer.headers["Retry-After"]) <= 3600
    assert "One too many</textarea>" in answer.text


def test_someone_elses_ticket_is_not_found_anywhere(client: FlaskClient, customer: User) -> None:
    ticket = a_ticket()
    logged_in(client, customer)

    for number in (ticket.id, 0, 999_999, 2**63, 10**30):
        for path in ("", "/live"):
            assert client.get(f"/tickets/{number}{path}").status_code == 404
        for path in ("/answers", "/closing", "/reopening"):
            sent = {"text": "Mine", "request_id": a_request_id()}
            assert client.post(f"/tickets/{number}{path}", data=sent).status_code == 404
    assert count(TicketEntry) == 1


def test_visitor_is_asked_to_log_in_and_a_poll_is_a_401_without_body(client: FlaskClient) -> None:
    ticket = a_ticket()

    page, poll = client.get(f"/tickets/{ticket.id}"), client.get(f"/tickets/{ticket.id}/live")

    assert page.location == f"/log-in?next=/tickets/{ticket.id}"
    assert (poll.status_code, poll.data) == (401, b"")
    sent = client.post("/tickets", data=form())
    assert (sent.status_code, "You’ve been logged out" in sent.text) == (403, True)
    assert count(Ticket) == 1


def test_hostile_words_are_text(client: FlaskClient, customer: User) -> None:
    order = an_order(customer=customer)
    ticket = a_ticket(customer=customer, order=order.id, subject=HOSTILE, text=f"{HOSTILE}\n\u202etxet")
    answered(ticket, operator=an_operator(), text=HOSTILE)
    logged_in(client, customer)

    for path in ("/tickets", f"/tickets/{ticket.id}", f"/tickets/{ticket.id}/live"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert html.escape(HOSTILE, quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    again_typed = client.post(f"/tickets/{ticket.id}/answers", data={"text": HOSTILE, "request_id": "no"}).text
    assert "<script>alert" not in again_typed


def test_forms_need_their_token_and_give_back_what_was_typed(client: FlaskClient, customer: User, csrf: None) -> None:
    ticket = a_ticket(customer=customer)
    logged_in(client, customer)

    opening = client.post("/tickets", data=form(text="Typed with care"))
    answer = client.post(f"/tickets/{ticket.id}/answers", data={"text": "Typed too", "request_id": a_request_id()})

    assert (opening.status_code, answer.status_code) == (403, 403)
    assert "Typed with care</textarea>" in opening.text
    assert "Typed too</textarea>" in answer.text
    assert client.post(f"/tickets/{ticket.id}/closing").status_code == 400
    assert (count(Ticket), count(TicketEntry), reload(ticket).state) == (1, 1, "waiting_for_us")


def test_order_its_refill_and_a_line_of_the_statement_lead_to_a_ticket(
    app: Flask, client: FlaskClient, customer: User
) -> None:
    order = an_order(customer=customer, status=Status.COMPLETED)
    with transaction():
        refill_id = refills.request_refill(order.id, customer_id=customer.id, now=NOON).id
    line = account_entries.last_entries(customer.id, count=1)[0].id
    ticket = a_ticket(customer=customer, order=order.id, subject="Asked before")
    logged_in(client, customer)

    order_page, balance = client.get(f"/orders/{order.id}").text, client.get("/balance").text

    assert f'href="/tickets/new?order={order.id}"' in order_page
    assert f'href="/tickets/new?refill={refill_id}"' in order_page
    assert f"Ticket {ticket.id}, waiting for us:" in order_page and "Asked before" in order_page
    assert f'href="/tickets/new?line={line}"' in balance
