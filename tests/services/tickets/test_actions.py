"""Ticket threads: whose turn it is, each reply added once, and a refusal if the operator missed an entry."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, execute_write, transaction
from panel.domain.errors import ActionRefused, BadInput, NotFound, RequestIdUsed, StaleForm, TooManyTries
from panel.domain.ticket import EntryKind, TicketState
from panel.models import AuditLogEntry, Mail, Ticket, TicketEntry, User
from panel.services.tickets import customer_actions, detail, limits, operator_actions
from panel.services.tickets.operator_actions import Operator
from tests.support.factories import NOON, a_customer, an_operator, reload
from tests.support.ticket_factories import a_request_id, a_ticket, answered

LATER = NOON + timedelta(hours=2)


def who(user: User) -> Operator:
    return Operator(user.id, user.email)


def write(ticket: Ticket, text: str = "And now?", *, request_id: str | None = None) -> int:
    number, customer_id = ticket.id, ticket.customer_id
    with transaction():
        return customer_actions.answer(
            number, customer_id=customer_id, text=text, request_id=request_id or a_request_id(), now=LATER
        ).id


def in_transaction(call: Callable[[], object]) -> None:
    with transaction():
        call()


def kinds(ticket: Ticket) -> list[str]:
    db.session.rollback()
    statement = select(TicketEntry.kind).where(TicketEntry.ticket_id == ticket.id).order_by(TicketEntry.number)
    return list(db.session.scalars(statement))


@pytest.mark.both_engines
def test_state_says_who_acts_next() -> None:
    operator = an_operator()
    ticket = a_ticket()

    answered(ticket, operator=operator, now=LATER)
    after_answer = (reload(ticket).state, ticket.waits_since, ticket.first_answer_at, ticket.assignee_id)
    write(ticket)
    after_word = reload(ticket).state
    in_transaction(lambda: customer_actions.close(ticket.id, customer_id=ticket.customer_id, now=LATER))
    after_close = reload(ticket).state
    write(ticket, "One more thing.")

    assert after_answer == (TicketState.WAITING_FOR_YOU, LATER, LATER, operator.id)
    assert after_word == TicketState.WAITING_FOR_US
    assert after_close == TicketState.CLOSED
    assert reload(ticket).state == TicketState.WAITING_FOR_US
    assert kinds(ticket) == ["message", "message", "message", "closed", "message"]


def test_second_message_of_the_customer_does_not_move_the_ticket_back_in_the_queue() -> None:
    ticket = a_ticket(now=NOON)

    write(ticket)

    assert (reload(ticket).waits_since, ticket.last_at) == (NOON, LATER)


def test_one_form_adds_one_message() -> None:
    ticket = a_ticket()

    first = write(ticket, "And now?", request_id="form-00000001")

    assert write(ticket, "And now?", request_id="form-00000001") == first
    with pytest.raises(RequestIdUsed):
        write(ticket, "Something else", request_id="form-00000001")
    with pytest.raises(BadInput):
        write(ticket, "And now?", request_id="no")
    assert kinds(ticket) == ["message", "message"]


def test_closing_and_reopening_twice_is_one_line_each() -> None:
    ticket = a_ticket()
    number, customer_id = ticket.id, ticket.customer_id
    done = []
    for call in (customer_actions.close, customer_actions.close, customer_actions.reopen, customer_actions.reopen):
        with transaction():
            done.append(call(number, customer_id=customer_id, now=LATER))

    assert done == [True, False, True, False]
    assert kinds(ticket) == ["message", "closed", "reopened"]


def test_another_customer_finds_nothing() -> None:
    ticket, other = a_ticket(), a_customer()
    number, other_id = ticket.id, other.id

    with pytest.raises(NotFound), transaction():
        customer_actions.answer(number, customer_id=other_id, text="Mine", request_id=a_request_id(), now=NOON)
    with pytest.raises(NotFound), transaction():
        customer_actions.close(number, customer_id=other_id, now=NOON)
    with pytest.raises(NotFound), transaction():
        customer_actions.reopen(number, customer_id=other_id, now=NOON)
    assert detail.find(number, customer_id=other_id) is None
    assert kinds(ticket) == ["message"]


def test_messages_of_an_hour_are_limited() -> None:
    ticket = a_ticket(now=LATER)
    for _ in range(limits.MAX_MESSAGES - 1):
        write(ticket)

    with pytest.raises(TooManyTries):
        write(ticket)


def test_reply_of_an_operator_who_missed_the_last_entry_is_refused() -> None:
    one, two = an_operator(), an_operator()
    ticket = a_ticket()
    seen = ticket.version
    answered(ticket, operator=one)

    for closes in (False, True):
        with pytest.raises(StaleForm):
            in_transaction(
                lambda closes=closes: operator_actions.answer(  # type: ignore[misc]
                    ticket.id,
                    operator=who(two),
                    text="No.",
                    request_id=a_request_id(),
                    seen=seen,
                    closes=closes,
                    now=NOON,
                )
            )
    with pytest.raises(StaleForm):
        in_transaction(lambda: operator_actions.close(ticket.id, operator=who(two), seen=seen, now=NOON))
    assert [line.text for line in detail.lines_after(ticket.id, number=seen)] == ["It starts today."]
    assert kinds(ticket) == ["message", "message"]


def test_second_press_of_an_operator_is_no_conflict_and_no_second_answer() -> None:
    operator, ticket = an_operator(), a_ticket()

    for _ in range(2):
        in_transaction(
            lambda: operator_actions.answer(
                ticket.id,
                operator=who(operator),
                text="Yes.",
                request_id="form-00000002",
                seen=1,
                closes=True,
                now=NOON,
            )
        )

    assert kinds(ticket) == ["message", "message", "closed"]
    assert reload(ticket).state == TicketState.CLOSED


def test_note_is_visible_to_operators_only_and_changes_nothing_for_the_customer() -> None:
    operator, customer = an_operator(), a_customer()
    ticket = a_ticket(customer=customer)
    before, last_at = reload(customer).state_version, reload(ticket).last_at

    in_transaction(
        lambda: operator_actions.note(
            ticket.id, operator=who(operator), text="Knows the owner.", request_id=a_request_id(), now=LATER
        )
    )

    assert [line.text for line in detail.whole_thread(ticket.id).lines][-1] == "Knows the owner."
    assert [line.kind for line in detail.thread(ticket.id).lines] == [EntryKind.MESSAGE]
    assert (reload(customer).state_version, reload(ticket).last_at) == (before, last_at)
    assert ticket.state == TicketState.WAITING_FOR_US


def test_ticket_is_given_to_operators_only_and_not_past_a_colleague() -> None:
    one, two, customer = an_operator(), an_operator(), a_customer()
    ticket = a_ticket()

    in_transaction(
        lambda: operator_actions.assign(ticket.id, operator=who(one), assignee_id=one.id, was_id=None, now=NOON)
    )
    with pytest.raises(StaleForm):
        in_transaction(
            lambda: operator_actions.assign(ticket.id, operator=who(two), assignee_id=two.id, was_id=None, now=NOON)
        )
    with pytest.raises(NotFound):
        in_transaction(
            lambda: operator_actions.assign(
                ticket.id, operator=who(one), assignee_id=customer.id, was_id=one.id, now=NOON
            )
        )

    assert reload(ticket).assignee_id == one.id
    in_transaction(
        lambda: operator_actions.assign(ticket.id, operator=who(two), assignee_id=None, was_id=one.id, now=NOON)
    )
    assert reload(ticket).assignee_id is None


def test_nothing_is_written_to_a_ticket_whose_customer_has_closed_the_account() -> None:
    operator, ticket = an_operator(), a_ticket()
    me, number = who(operator), ticket.id
    with transaction():
        execute_write(update(User).where(User.id == ticket.customer_id).values(closed_at=NOON))

    for call in (
        lambda: operator_actions.answer(number, operator=me, text="Hm.", request_id=a_request_id(), seen=1, now=NOON),
        lambda: operator_actions.note(number, operator=me, text="Hm.", request_id=a_request_id(), now=NOON),
        lambda: operator_actions.reopen(number, operator=me, now=NOON),
    ):
        with pytest.raises(ActionRefused, match="closed"):
            in_transaction(call)

    assert kinds(ticket) == ["message"]


def test_every_action_of_an_operator_is_a_line_of_the_log() -> None:
    operator, ticket = an_operator(), a_ticket()
    me, number = who(operator), ticket.id

    in_transaction(lambda: operator_actions.note(number, operator=me, text="Hm.", request_id=a_request_id(), now=NOON))
    answered(ticket, operator=operator, closes=True)
    in_transaction(lambda: operator_actions.reopen(number, operator=me, now=NOON))
    in_transaction(lambda: operator_actions.assign(number, operator=me, assignee_id=None, was_id=me.id, now=NOON))
    seen = reload(ticket).version
    in_transaction(lambda: operator_actions.close(number, operator=me, seen=seen, now=NOON))

    lines = db.session.scalars(
        select(AuditLogEntry).where(AuditLogEntry.subject == f"ticket {number}").order_by(AuditLogEntry.id)
    )
    entries = [(line.action, line.actor) for line in lines]
    actions = ["note", "answer and close", "reopen", "assign", "close"]
    assert entries == [(f"tickets {action}", operator.email) for action in actions]


def test_customer_with_a_confirmed_address_is_mailed_once_of_an_answer_and_never_of_a_note(app: Flask) -> None:
    operator, customer = an_operator(), a_customer()
    with transaction():
        execute_write(update(User).where(User.id == customer.id).values(email_confirmed_at=NOON))
    ticket = a_ticket(customer=customer, subject="Bcc: everyone")

    in_transaction(
        lambda: operator_actions.note(
            ticket.id, operator=who(operator), text="A secret.", request_id=a_request_id(), now=NOON
        )
    )
    answered(ticket, operator=operator, text="The answer itself.")

    [mail] = db.session.scalars(select(Mail))
    assert (mail.email, mail.user_id) == (customer.email, customer.id)
    assert f"/tickets/{ticket.id}" in mail.text
    assert "secret" not in mail.text


def test_support_is_mailed_of_each_word_of_a_customer(app: Flask) -> None:
    settings = app.config["PANEL"]
    app.config["PANEL"] = settings.model_copy(update={"support_email": "support@example.com"})

    ticket = a_ticket(subject="{{ 7 * 7 }}", text="<b>First</b>\nBcc: all@example.com")
    write(ticket, "Second")
    answered(ticket, operator=an_operator())

    mails = list(db.session.scalars(select(Mail).where(Mail.email == "support@example.com").order_by(Mail.id)))
    assert [mail.subject for mail in mails] == [
        f"Ticket {ticket.id} opened: {{{{ 7 * 7 }}}}",
        f"Ticket {ticket.id}: new message: {{{{ 7 * 7 }}}}",
    ]
    assert "<b>First</b> Bcc: all@example.com" in mails[0].text
    assert f"/office/tickets/{ticket.id}" in mails[1].text


def test_long_thread_comes_in_pages_and_the_newest_is_the_first_shown() -> None:
    ticket = a_ticket()
    number = ticket.id
    with transaction():
        held = db.session.get_one(Ticket, number)
        for count in range(detail.ENTRIES_PER_PAGE):
            held.version += 1
            entry = TicketEntry(
                ticket_id=number,
                number=held.version,
                kind=EntryKind.MESSAGE,
                author_id=held.customer_id,
                is_ours=False,
                text=f"Message {count}",
                at=NOON,
            )
            db.session.add(entry)

    newest, first = detail.thread(number), detail.thread(number, page=1)

    assert (newest.page, newest.pages, newest.is_last, newest.earlier) == (2, 2, True, 1)
    assert [line.text for line in newest.lines] == ["Message 99"]
    assert (len(first.lines), first.is_last, first.later) == (detail.ENTRIES_PER_PAGE, False, 2)
