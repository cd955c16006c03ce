"""Canned answers: filled in from the ticket, offered where they fit, and edited by one operator at a time."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import BadInput, NotFound, StaleForm
from panel.models import AuditLogEntry, CannedAnswer
from panel.services.tickets import canned_answers, detail
from tests.support.factories import NOON, a_customer, a_tool, an_order
from tests.support.ticket_factories import a_ticket

ME = "operator"


def a_canned(name: str = "Waiting", text: str = "It moves by itself.") -> CannedAnswer:
    with transaction():
        return canned_answers.add(name=name, text=text, actor=ME, now=NOON)


def change_it(answer: CannedAnswer, *, text: str, seen: int = 1) -> None:
    number = answer.id
    with transaction():
        canned_answers.edit(number, name="Waiting", text=text, seen=seen, actor=ME, now=NOON)


def test_placeholders_are_filled_in_one_pass() -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, tool=a_tool("the-order-tool"))
    own = detail.find_any(a_ticket(customer=customer, order=order.id).id)
    assert own is not None
    answer = a_canned(text="Order {order} ({tool}), ticket {ticket}, {{ 7 * 7 }}, {Order}, {}.")

    filled = canned_answers.filled(answer, own)

    assert filled == f"Order {order.id} (The order tool), ticket {own.id}, {{{{ 7 * 7 }}}}, {{Order}}, {{}}."


def test_tools_name_that_looks_like_a_placeholder_stays_as_it_is() -> None:
    customer = a_customer("10")
    tool = a_tool("{ticket}")
    own = detail.find_any(a_ticket(customer=customer, order=an_order(customer=customer, tool=tool).id).id)
    assert own is not None

    assert canned_answers.filled(a_canned(text="{tool}!"), own) == "{ticket}!"


def test_canned_answer_about_an_order_is_not_offered_without_an_order() -> None:
    plain, of_order = a_canned(), a_canned("Order", "Order {order} runs.")
    own = detail.find_any(a_ticket().id)
    assert own is not None

    assert [answer.id for answer in canned_answers.fitting(own)] == [plain.id]
    with pytest.raises(NotFound):
        canned_answers.filled(of_order, own)


@pytest.mark.parametrize(
    ("name", "text", "field"),
    [
        ("", "Text", "name"),
        ("two\nlines", "Text", "name"),
        ("x" * 81, "Text", "name"),
        ("Name", "", "text"),
        ("Name", "a\x00b", "text"),
        ("Name", "Hello {password}", "text"),
        ("WAITING", "Text", "name"),
    ],
)
def test_invalid_canned_answer_has_an_error_at_its_field(name: str, text: str, field: str) -> None:
    a_canned("Waiting")

    with pytest.raises(BadInput) as refused:
        a_canned(name, text)

    assert refused.value.field == field
    assert len(canned_answers.listed()) == 1


def test_two_operators_do_not_overwrite_each_other() -> None:
    answer = a_canned()
    number = answer.id
    change_it(answer, text="First")

    with pytest.raises(StaleForm):
        change_it(answer, text="Second")
    with pytest.raises(StaleForm), transaction():
        canned_answers.remove(number, seen=1, actor=ME, now=NOON)

    assert [answer.text for answer in canned_answers.listed()] == ["First"]
    with transaction():
        canned_answers.remove(number, seen=2, actor=ME, now=NOON)
    assert canned_answers.listed() == []
    actions = list(db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)))
    assert actions == ["canned-answers add", "canned-answers edit", "canned-answers remove"]
