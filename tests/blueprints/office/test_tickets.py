"""Tickets in the office: the queue, a ticket with all its actions, canned answers, and access."""

import html
import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import CannedAnswer, TicketEntry, User
from panel.services.tickets import canned_answers
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order, logged_in, reload
from tests.support.ticket_factories import a_request_id, a_ticket, answered

HOSTILE = '<script>alert(1)</script> {{ 7 * 7 }} =1+1 "x"'


@pytest.fixture
def operator(client: FlaskClient) -> User:
    operator = an_operator()
    logged_in(client, operator)
    return operator


def sent(ticket_id: int, **fields: object) -> dict[str, str]:
    given = {"text": "It starts today.", "request_id": a_request_id(), "seen": 1, **fields}
    return {name: str(value) for name, value in given.items()}


def entries() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(TicketEntry)) or 0


def a_canned(name: str = "Waiting", text: str = "It moves by itself.") -> CannedAnswer:
    with transaction():
        return canned_answers.add(name=name, text=text, actor="operator", now=NOON)


def test_queue_lists_what_waits_for_us_first_with_rows_for_the_keys(client: FlaskClient, operator: User) -> None:
    theirs, ours = a_ticket(subject="Answered"), a_ticket(subject=HOSTILE)
    answered(theirs, operator=operator)

    page = client.get("/office/tickets").text

    assert page.index(f'id="open-{ours.id}"') < page.index(f'id="open-{theirs.id}"')
    assert "data-keys" in page and "No answer yet" in page
    assert html.escape(HOSTILE).replace("&quot;", "&#34;") in page and "<script>alert" not in page
    assert "not enough data yet" in page


def test_views_narrow_the_queue_to_mine_and_nobodys(client: FlaskClient, operator: User) -> None:
    mine, nobodys = a_ticket(), a_ticket()
    answered(mine, operator=operator)

    shown = {view: client.get(f"/office/tickets?whose={view}").text for view in ("mine", "nobodys", "all", "odd")}

    assert f'id="open-{mine.id}"' in shown["mine"] and f'id="open-{nobodys.id}"' not in shown["mine"]
    assert f'id="open-{nobodys.id}"' in shown["nobodys"] and f'id="open-{mine.id}"' not in shown["nobodys"]
    assert all(f'id="open-{each.id}"' in shown[view] for view in ("all", "odd") for each in (mine, nobodys))
    assert "No tickets match" in client.get("/office/tickets?q=nothing-like-this").text
    assert "Tickets of one customer." in client.get(f"/office/tickets?customer={mine.customer_id}").text


def test_region_of_the_queue_is_304_until_something_changes(client: FlaskClient, operator: User) -> None:
    ticket = a_ticket()
    first = client.get("/office/tickets/live")
    tag = {"HX-PTag": first.headers["HX-PTag"]}

    unchanged = client.get("/office/tickets/live", headers=tag)
    answered(ticket, operator=operator)
    changed = client.get("/office/tickets/live", headers=tag)

    assert (unchanged.status_code, changed.status_code) == (304, 200)
    assert "Waiting for the customer" in changed.text


def test_ticket_shows_thread_notes_subject_and_customer_history(client: FlaskClient, operator: User) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, tool=a_tool("the-tool"))
    ticket = a_ticket(customer=customer, order=order.id, text=HOSTILE)
    other = a_ticket(customer=customer, subject="Another question")
    client.post(f"/office/tickets/{ticket.id}/notes", data=sent(ticket.id, note="Known for this."))

    page = html.unescape(client.get(f"/office/tickets/{ticket.id}").text)

    for words in (customer.email, order.link, "The tool", "Known for this.", "Another question", f"Order {order.id}"):
        assert words in page
    assert f"/office/tickets/{other.id}" in page
    assert "<script>alert" not in client.get(f"/office/tickets/{ticket.id}").text
    assert f'href="/orders/{order.id}"' not in page


def test_answer_reaches_the_customer_and_a_second_press_sends_nothing(client: FlaskClient, operator: User) -> None:
    ticket = a_ticket()
    form = sent(ticket.id)

    first, second = (client.post(f"/office/tickets/{ticket.id}/answers", data=form) for _ in range(2))

    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == f"/office/tickets/{ticket.id}"
    assert reload(ticket).state == "waiting_for_you"
    assert reload(ticket).assignee_id == operator.id
    assert entries() == 2
    assert "is answered" in client.get(first.location).text


def test_second_operator_sees_the_new_entry_and_keeps_the_typed_text(client: FlaskClient, operator: User) -> None:
    ticket = a_ticket()
    answered(ticket, operator=an_operator(), text="Another's answer.")

    answer = client.post(f"/office/tickets/{ticket.id}/answers", data=sent(ticket.id, text="My own words."))
    closing = client.post(f"/office/tickets/{ticket.id}/closing", data={"seen": "1"})
    seen = re.findall(r'name="seen" value="(\d+)"', answer.text)

    assert (answer.status_code, closing.status_code) == (409, 409)
    assert "New since you opened the ticket" in answer.text and "Another’s answer." not in answer.text
    assert "Another&#39;s answer." in answer.text
    assert "My own words.</textarea>" in answer.text
    assert set(seen) == {"2"}
    assert entries() == 2
    now_sent = client.post(f"/office/tickets/{ticket.id}/answers", data=sent(ticket.id, text="My own words.", seen=2))
    assert now_sent.status_code == 303


def test_answer_and_close_assign_and_reopen_go_by_forms(client: FlaskClient, operator: User) -> None:
    ticket, colleague = a_ticket(), an_operator()
    address = f"/office/tickets/{ticket.id}"

    closed = client.post(f"{address}/answers", data=sent(ticket.id, closes="yes"))
    after_close = reload(ticket).state
    reopened = client.post(f"{address}/reopening")
    given = client.post(f"{address}/assignee", data={"assignee": colleague.id, "was": operator.id})
    late = client.post(f"{address}/assignee", data={"assignee": operator.id, "was": operator.id})
    freed = client.post(f"{address}/assignee", data={"assignee": "", "was": colleague.id})

    assert (closed.status_code, reopened.status_code, given.status_code, freed.status_code) == (303, 303, 303, 303)
    assert late.status_code == 409
    assert after_close == "closed"
    assert (reload(ticket).state, ticket.assignee_id) == ("waiting_for_us", None)


@pytest.mark.parametrize("text", ["", "a\x01b", "x" * 5_001])
def test_refused_answer_and_note_keep_what_was_typed(client: FlaskClient, operator: User, text: str) -> None:
    ticket = a_ticket()

    answer = client.post(f"/office/tickets/{ticket.id}/answers", data=sent(ticket.id, text=text))
    note = client.post(f"/office/tickets/{ticket.id}/notes", data={"note": text, "request_id": a_request_id()})

    assert (answer.status_code, note.status_code) == (422, 422)
    assert entries() == 1


def test_canned_answer_fills_the_form_without_a_script_and_sends_nothing(client: FlaskClient, operator: User) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer)
    with_order, plain = a_ticket(customer=customer, order=order.id), a_ticket()
    answer = a_canned(text="Order {order} moves by itself.")

    page = client.get(f"/office/tickets/{with_order.id}?canned={answer.id}")

    assert f"Order {order.id} moves by itself.</textarea>" in page.text
    assert f'<option value="{answer.id}" selected>' in page.text
    assert 'id="canned"' not in client.get(f"/office/tickets/{plain.id}").text
    assert client.get(f"/office/tickets/{plain.id}?canned={answer.id}").status_code == 404
    assert client.get(f"/office/tickets/{plain.id}?canned=999").status_code == 404
    assert entries() == 2


def test_canned_answers_are_made_changed_and_removed_in_the_office(client: FlaskClient, operator: User) -> None:
    made = client.post("/office/canned-answers", data={"name": HOSTILE, "text": HOSTILE.replace("{", "(")})
    answer_id = canned_answers.listed()[0].id
    address = f"/office/canned-answers/{answer_id}"
    listed = client.get("/office/canned-answers").text

    changed = client.post(address, data={"name": "Plain", "text": "Text", "seen": "1"})
    stale = client.post(address, data={"name": "Other", "text": "Lost?", "seen": "1"})
    wrong = client.post("/office/canned-answers", data={"name": "Third", "text": "{nothing}"})
    removed = client.post(f"{address}/removal", data={"seen": "2"})

    assert (made.status_code, changed.status_code, removed.status_code) == (303, 303, 303)
    assert "<script>alert" not in listed and f'id="open-{answer_id}"' in listed
    assert (stale.status_code, wrong.status_code) == (409, 422)
    assert "Lost?</textarea>" in stale.text and "{nothing}</textarea>" in wrong.text
    assert client.get(address).status_code == 404
    assert client.post(f"{address}/removal", data={"seen": "2"}).status_code == 404


def test_expired_form_gives_the_answer_back_to_operators_alone(client: FlaskClient, operator: User, csrf: None) -> None:
    ticket = a_ticket()
    address = f"/office/tickets/{ticket.id}/answers"

    kept = client.post(address, data=sent(ticket.id, text="Typed with care"))
    logged_in(client, a_customer())
    refused = client.post(address, data=sent(ticket.id, text="Typed with care"))

    assert kept.status_code == 403
    assert "Typed with care</textarea>" in kept.text
    assert refused.status_code == 404
    assert entries() == 1


def test_office_of_tickets_is_not_there_for_customers(client: FlaskClient) -> None:
    ticket, answer = a_ticket(), a_canned()
    logged_in(client, a_customer())

    for path in ("", "/live", f"/{ticket.id}"):
        assert client.get(f"/office/tickets{path}").status_code == 404
    for action in ("answers", "notes", "assignee", "closing", "reopening"):
        assert client.post(f"/office/tickets/{ticket.id}/{action}", data=sent(ticket.id, note="x")).status_code == 404
    for path in ("", f"/{answer.id}"):
        assert client.get(f"/office/canned-answers{path}").status_code == 404
        assert client.post(f"/office/canned-answers{path}", data={"name": "a", "text": "b"}).status_code == 404
    assert entries() == 1


@pytest.mark.parametrize("number", ["0", "999999", str(2**63), str(10**30)])
def test_ticket_that_is_not_there_is_not_found(client: FlaskClient, operator: User, number: str) -> None:
    assert client.get(f"/office/tickets/{number}").status_code == 404
    for action in ("answers", "notes", "assignee", "closing", "reopening"):
        assert client.post(f"/office/tickets/{number}/{action}", data=sent(1, note="x")).status_code == 404


def test_canned_answers_named_after_the_orders_status_are_suggested_first(client: FlaskClient, operator: User) -> None:
    customer = a_customer("1000")
    partial = a_ticket(customer=customer, order=an_order(customer=customer, status=Status.PARTIAL, remains=10).id)
    pending = a_ticket(customer=customer, order=an_order(customer=customer).id)
    a_canned("Partial: what was delivered")
    a_canned("How long Pending takes")

    pages = [client.get(f"/office/tickets/{ticket.id}").text for ticket in (partial, pending)]

    suggested = [page.partition('<optgroup label="Suggested">')[2].partition("</optgroup>")[0] for page in pages]
    assert [("Partial" in shown, "Pending" in shown) for shown in suggested] == [(True, False), (False, True)]
    assert all("Partial: what" in page and "How long Pending" in page for page in pages)


def test_canned_answer_of_another_status_is_not_the_one_that_is_offered(client: FlaskClient, operator: User) -> None:
    customer = a_customer("1000")
    canceled = a_ticket(customer=customer, order=an_order(customer=customer, status=Status.CANCELED).id)
    a_canned("How long Pending takes")
    a_canned("Thank you")

    page = client.get(f"/office/tickets/{canceled.id}").text

    assert page.index(">Thank you</option>") < page.index(">How long Pending takes</option>")
