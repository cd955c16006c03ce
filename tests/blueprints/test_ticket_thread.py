"""Ticket page: its forms, and the live region with the thread."""

import re

import pytest
from flask.testing import FlaskClient

from panel.db import transaction
from panel.models import User
from panel.services.tickets import operator_actions
from panel.services.tickets.operator_actions import Operator
from tests.support.factories import NOON, a_customer, an_operator, logged_in
from tests.support.ticket_factories import a_request_id, a_ticket, answered


@pytest.fixture
def customer() -> User:
    return a_customer("10")


def region(page: str) -> str:
    return page[page.index('<section id="live"') : page.index("</section>") + len("</section>")]


def test_answer_close_and_reopen_go_by_forms(client: FlaskClient, customer: User) -> None:
    ticket = a_ticket(customer=customer)
    answered(ticket, operator=an_operator())
    logged_in(client, customer)
    address = f"/tickets/{ticket.id}"
    sent = {"text": "Thanks.", "request_id": a_request_id()}

    first, second = (client.post(f"{address}/answers", data=sent) for _ in range(2))
    after_answer = client.get(address).text
    closed = client.post(f"{address}/closing")
    after_close = client.get(address).text
    reopened = client.post(f"{address}/reopening")

    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert re.fullmatch(rf"{address}#message-\d+", first.location)
    assert after_answer.count("Thanks.") == 1
    assert 'data-state="waiting-for-us"' in after_answer
    assert (closed.status_code, reopened.status_code) == (303, 303)
    assert "closed the ticket" in after_close and 'form="reopen"' in after_close
    assert 'data-state="waiting-for-us"' in client.get(address).text


def test_form_sent_once_more_after_we_answered_does_not_say_that_we_answer_next(
    client: FlaskClient, customer: User
) -> None:
    ticket = a_ticket(customer=customer)
    logged_in(client, customer)
    sent = {"text": "Thanks.", "request_id": a_request_id()}

    first = client.post(f"/tickets/{ticket.id}/answers", data=sent, follow_redirects=True).text
    answered(ticket, operator=an_operator())
    second = client.post(f"/tickets/{ticket.id}/answers", data=sent, follow_redirects=True).text

    assert "Your reply is sent. We answer next." in first
    assert "Your reply is sent. We have answered." in second


@pytest.mark.parametrize(("text", "status"), [("", 422), ("a\x01b", 422), ("x" * 5_001, 422)])
def test_refused_answer_keeps_the_thread_and_what_was_typed(
    client: FlaskClient, customer: User, text: str, status: int
) -> None:
    ticket = a_ticket(customer=customer)

    answer = logged_in(client, customer).post(
        f"/tickets/{ticket.id}/answers", data={"text": text, "request_id": a_request_id()}
    )

    assert answer.status_code == status
    assert "When does it start?" in answer.text
    assert "Nothing was sent" in answer.text
    assert len(text) < 100 or f"{text}</textarea>" in answer.text


def test_region_served_alone_is_the_region_in_the_page(client: FlaskClient, customer: User) -> None:
    ticket = a_ticket(customer=customer)
    answered(ticket, operator=an_operator())
    logged_in(client, customer)

    page, alone = client.get(f"/tickets/{ticket.id}").text, client.get(f"/tickets/{ticket.id}/live")

    assert region(page) == alone.text.strip()
    assert f'data-hx-ptag="{alone.headers["HX-PTag"]}"' in alone.text
    assert alone.headers["Cache-Control"] == "no-store"
    assert "<textarea" not in alone.text and "csrf" not in alone.text


def test_region_is_304_until_we_answer_and_stops_polling_when_closed(client: FlaskClient, customer: User) -> None:
    operator, ticket = an_operator(), a_ticket(customer=customer)
    logged_in(client, customer)
    address = f"/tickets/{ticket.id}/live"
    tag = {"HX-PTag": client.get(address).headers["HX-PTag"]}

    unchanged = client.get(address, headers=tag)
    with transaction():
        who = Operator(operator.id, operator.email)
        operator_actions.note(ticket.id, operator=who, text="Internal.", request_id=a_request_id(), now=NOON)
    noted = client.get(address, headers=tag)
    answered(ticket, operator=operator)
    changed = client.get(address, headers=tag)
    answered(ticket, operator=operator, closes=True)
    closed = client.get(address, headers=tag)

    assert (unchanged.status_code, unchanged.data, noted.status_code) == (304, b"", 304)
    assert changed.status_code == 200
    assert "It starts today." in changed.text and "data-hx-get" in changed.text
    assert "data-hx-" not in closed.text
    assert "Internal." not in closed.text and operator.email not in closed.text


def test_paused_page_does_not_poll_and_says_how_to_resume(client: FlaskClient, customer: User) -> None:
    ticket = a_ticket(customer=customer)
    logged_in(client, customer)

    answer = client.get(f"/tickets/{ticket.id}?live=off")
    page = client.get(answer.location).text

    assert (answer.status_code, answer.location) == (303, f"/tickets/{ticket.id}")
    assert "data-hx-get" not in page and "Resume updates" in page
