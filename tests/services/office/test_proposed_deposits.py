"""Deposits confirmed by operators: credited once, by two operators above the limit; a refusal needs a reason."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.domain import money
from panel.domain.errors import ActionRefused, PanelError
from panel.models import ProposalKind, User
from panel.services.money import deposits
from panel.services.office import second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.office.second_approval import Done
from tests.services.office.test_second_approval import LIMIT, acted, balance_of, confirmed, wanted
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, an_operator


def a_request(customer: User, amount: str) -> str:
    with transaction():
        return deposits.request_deposit(customer.id, amount_nanos=money.parse_nanos(amount), now=NOON).reference


def arrived(reference: str, operator: User, amount: str) -> BalanceChange:
    request = deposits.find(reference)
    asked = wanted(db.session.get_one(User, request.customer_id), operator, amount, ProposalKind.DEPOSIT)
    return replace(asked, deposit_id=request.id)


@pytest.mark.both_engines
def test_a_deposit_is_one_transfer_however_many_confirm_it_at_once(app: Flask) -> None:
    customer, operator = a_customer("0"), an_operator()
    reference = a_request(customer, "25")
    asked = [arrived(reference, operator, "25") for _ in range(4)]

    def moved(each: BalanceChange) -> object:
        def do() -> Done:
            with transaction():
                return second_approval.move_or_propose(each, balance_nanos=0, limit_nanos=LIMIT, now=NOON)

        return do

    answers = run_concurrently(app, [moved(each) for each in asked], expected=PanelError)

    assert sum(isinstance(answer, Done) for answer in answers) == 1
    assert balance_of(customer) == "25.00"
    ledger_oracle.assert_consistent()


def test_a_large_deposit_waits_and_can_be_neither_refused_nor_proposed_again() -> None:
    customer, first, second = a_customer("0"), an_operator(), an_operator()
    reference = a_request(customer, "250")
    done = acted(arrived(reference, first, "250"))

    with pytest.raises(ActionRefused, match="waits for a second operator"):
        acted(arrived(reference, second, "250"))
    with pytest.raises(ActionRefused, match="waits for a second operator"), transaction():
        second_approval.refuse_deposit(reference, reason="It never came.", actor="a", now=NOON)
    confirmed(done.proposal_id, second.id)

    assert balance_of(customer) == "250.00"
    assert deposits.open_requests(customer.id) == []
    with pytest.raises(ActionRefused, match="already confirmed"):
        acted(arrived(reference, first, "50"))


def test_a_refused_deposit_adds_nothing_and_its_customer_reads_why() -> None:
    customer, operator = a_customer("0"), an_operator()
    reference = a_request(customer, "25")

    with transaction():
        second_approval.refuse_deposit(reference, reason="It never came.", actor=operator.email, now=NOON)

    refused = deposits.refused_requests(customer.id, since=NOON - timedelta(days=1))
    assert [each.refused_reason for each in refused] == ["It never came."]
    assert deposits.open_requests(customer.id) == []
    with pytest.raises(ActionRefused, match="was refused"):
        acted(arrived(reference, operator, "25"))
