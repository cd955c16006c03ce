"""Opening a ticket: once per form, only about own orders and transfers, and not too often."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import BadInput, NotFound, PanelError, RequestIdUsed, TooManyTries
from panel.domain.status import Status
from panel.domain.ticket import TicketKind, TicketState
from panel.models import Mail, Ticket, TicketEntry, User
from panel.services.money import account_entries
from panel.services.orders import refills
from panel.services.tickets import limits, opening, subjects
from panel.services.tickets.opening import Asked
from tests.support.factories import NOON, a_customer, an_order, reload
from tests.support.ticket_factories import a_request_id, a_ticket, asking


def open_now(customer: User, asked: Asked) -> int:
    customer_id = customer.id
    with transaction():
        return opening.open_ticket(customer_id, asked=asked, now=NOON).id


def tickets() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Ticket)) or 0


@pytest.mark.both_engines
def test_ticket_waits_for_us_with_its_first_message() -> None:
    customer = a_customer()
    before = customer.state_version

    ticket = a_ticket(customer=customer, subject="A question", text="When?", kind="account")

    [entry] = db.session.scalars(select(TicketEntry).where(TicketEntry.ticket_id == ticket.id))
    assert (ticket.state, ticket.kind, ticket.version) == (TicketState.WAITING_FOR_US, TicketKind.ACCOUNT, 1)
    assert (entry.text, entry.is_ours, entry.author_id, entry.at) == ("When?", False, customer.id, NOON)
    assert ticket.waits_since == ticket.opened_at == ticket.last_at == NOON
    assert reload(customer).state_version == before + 1


def test_same_form_again_is_the_same_ticket_and_other_words_are_refused() -> None:
    customer = a_customer()
    asked = asking(text="When?")
    first = open_now(customer, asked)

    assert open_now(customer, asked) == first
    with pytest.raises(RequestIdUsed, match=f"ticket {first}"):
        open_now(customer, asking(text="Where?", request_id=asked.request_id))
    assert tickets() == 1
    assert db.session.scalar(select(func.count()).select_from(TicketEntry)) == 1


def test_ticket_carries_an_order_a_refill_or_a_line_of_the_statement() -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.COMPLETED)
    with transaction():
        refill_id = refills.request_refill(order.id, customer_id=customer.id, now=NOON).id
    line = account_entries.last_entries(customer.id, count=1)[0]

    about_order = a_ticket(customer=customer, order=order.id)
    about_refill = a_ticket(customer=customer, refill=refill_id)
    about_line = a_ticket(customer=customer, line=line.id)

    assert (about_order.order_id, about_order.refill_id, about_order.transfer_id) == (order.id, None, None)
    assert (about_refill.order_id, about_refill.refill_id, about_refill.transfer_id) == (order.id, refill_id, None)
    assert (about_line.order_id, about_line.transfer_id) == (line.order_id, line.id)
    assert subjects.carried_by(about_refill).name == f"refill {refill_id} of order {order.id}"
    carried = subjects.carried_by(about_line)
    assert carried.line is not None and carried.line.change_nanos == line.change_nanos
    assert carried.kind is TicketKind.MONEY


@pytest.mark.parametrize("number", [0, -1, 999_999, 2**63, 10**30])
@pytest.mark.parametrize("what", ["order", "refill", "line"])
def test_unknown_subject_is_not_found(what: str, number: int) -> None:
    customer = a_customer()

    with pytest.raises(NotFound):
        open_now(customer, asking(**{what: number}))  # type: ignore[arg-type]
    assert tickets() == 0


def test_subject_of_somebody_else_is_not_found() -> None:
    owner, other = a_customer("10"), a_customer("10")
    order = an_order(customer=owner, status=Status.COMPLETED)
    with transaction():
        refill_id = refills.request_refill(order.id, customer_id=owner.id, now=NOON).id
    line = account_entries.last_entries(owner.id, count=1)[0]

    for asked in (asking(order=order.id), asking(refill=refill_id), asking(line=line.id)):
        with pytest.raises(NotFound):
            open_now(other, asked)
    with pytest.raises(NotFound):
        open_now(owner, asking(order=order.id, line=line.id))
    assert tickets() == 0


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (asking(kind="love"), "kind"),
        (asking(subject=" "), "subject"),
        (asking(text="a\x00b"), "text"),
        (Asked("other", "A", "B", "short", subjects.SubjectNumbers()), "request_id"),
    ],
)
def test_invalid_value_has_an_error_at_its_field(asked: Asked, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        open_now(a_customer(), asked)

    assert refused.value.field == field
    assert tickets() == 0


def test_form_lists_all_its_errors_together() -> None:
    found: list[PanelError] = opening.faults(asking(kind="", subject="", text=""))

    assert [fault.field for fault in found] == ["kind", "subject", "text"]


def test_eleventh_ticket_within_an_hour_is_refused_until_the_first_is_an_hour_old() -> None:
    customer = a_customer()
    for minute in range(limits.MAX_NEW_TICKETS):
        a_ticket(customer=customer, now=NOON + timedelta(minutes=minute))

    with pytest.raises(TooManyTries, match="Try again in 31 minutes") as refused:
        a_ticket(customer=customer, now=NOON + timedelta(minutes=29, seconds=1))

    assert refused.value.retry_after_seconds == 31 * 60 - 1
    assert a_ticket(customer=customer, now=NOON + timedelta(hours=1)).id
    assert a_ticket(now=NOON).id


def test_same_form_again_is_no_new_ticket_for_the_limit() -> None:
    customer, asked = a_customer(), asking()
    first = open_now(customer, asked)
    for _ in range(limits.MAX_NEW_TICKETS - 1):
        a_ticket(customer=customer)

    assert open_now(customer, asked) == first


def test_operators_are_notified_only_if_an_address_is_set() -> None:
    a_ticket(request_id=a_request_id())

    assert db.session.scalar(select(func.count()).select_from(Mail)) == 0
