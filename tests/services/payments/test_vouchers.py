"""Vouchers: made within the approval limit, redeemed once under any race, and counted by the audit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, BadMoney, PanelError, StaleForm
from panel.models import ProposalKind, Transfer, Voucher
from panel.services.money import audit, ledger
from panel.services.office import second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.payments import vouchers
from panel.services.payments.vouchers import NewVouchers
from tests.support import concurrently
from tests.support.factories import NOON, a_customer, an_operator

TEN = 10 * 10**9
LIMIT = 100 * 10**9
WANTED = NewVouchers(TEN, 1, 1, None, "Spring", "a form key", None, "somebody")


def made(*, now: datetime = NOON, **other: object) -> list[str]:
    with transaction():
        return vouchers.make(replace(WANTED, **other), limit_nanos=LIMIT, now=now)


def redeem(code: str, customer_id: int, *, now: datetime = NOON) -> int:
    with transaction():
        return vouchers.redeem(code, customer_id=customer_id, now=now)


def redeeming(code: str, customer_id: int) -> Callable[[], int]:
    return lambda: redeem(code, customer_id)


@pytest.mark.both_engines
def test_thirty_two_customers_at_once_redeem_a_one_use_voucher_once(app: Flask) -> None:
    (code,) = made()
    customer_ids = [a_customer("0").id for _ in range(8)]

    results = concurrently.run_concurrently(
        app, [redeeming(code, customer_ids[number % 8]) for number in range(32)], expected=PanelError
    )

    assert [result for result in results if isinstance(result, int)] == [TEN]
    assert all(isinstance(result, int | ActionRefused) for result in results)
    assert sum(ledger.balance_nanos(customer_id) for customer_id in customer_ids) == TEN
    assert audit.audit().is_sound


@pytest.mark.both_engines
def test_a_customer_redeems_a_voucher_for_many_once(app: Flask) -> None:
    (code,) = made(uses=5)
    customer_id, other_id = a_customer("0").id, a_customer("0").id

    results = concurrently.run_concurrently(app, [redeeming(code, customer_id)] * 8, expected=ActionRefused)

    assert [result for result in results if isinstance(result, int)] == [TEN]
    assert redeem(code, other_id) == TEN
    assert ledger.balance_nanos(customer_id) == TEN
    assert db.session.scalars(select(Voucher.used)).one() == 2
    assert audit.audit().is_sound


def test_a_code_is_stored_as_a_hash_and_typed_in_any_spelling() -> None:
    code, other = made(codes=2)
    customer = a_customer("0")

    assert code != other and code not in str(db.session.execute(select(Voucher.__table__)).all())
    assert redeem(f" {code.lower().replace('-', ' ')} ", customer.id) == TEN
    reason = db.session.scalars(select(Transfer.reason).where(Transfer.reason.like("%voucher%"))).one()
    assert reason.endswith(f":{customer.id}") and code not in reason


@pytest.mark.parametrize("code", ["", "x", "AAAA-AAAA-AAAA-AAAA", "9" * 5_000, "\ud800"])
def test_a_wrong_code_adds_nothing(code: str) -> None:
    made()
    customer = a_customer("0")

    with pytest.raises(BadInput, match="isn’t valid"):
        redeem(code, customer.id)

    assert ledger.balance_nanos(customer.id) == 0


def test_used_expired_and_withdrawn_vouchers_say_so() -> None:
    customer = a_customer("0")
    (used,), (expired,), (withdrawn,) = made(), made(expires_at=NOON + timedelta(hours=1)), made()
    redeem(used, a_customer("0").id)
    with transaction():
        vouchers.revoke(db.session.scalars(select(Voucher.id).order_by(Voucher.id.desc())).first(), actor="x", now=NOON)

    later = NOON + timedelta(hours=1)
    for code, why in ((used, "has been used up"), (expired, "has expired"), (withdrawn, "was withdrawn")):
        with pytest.raises(ActionRefused, match=why):
            redeem(code, customer.id, now=later)

    assert not vouchers.is_any_open(now=later)
    assert ledger.balance_nanos(customer.id) == 0


def test_an_operator_redeems_nothing() -> None:
    (code,) = made()

    with pytest.raises(ActionRefused, match="Operators"):
        redeem(code, an_operator().id)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount_nanos": 0}, "amount"),
        ({"amount_nanos": 10**9 + 1}, "amount"),
        ({"uses": 0}, "uses"),
        ({"uses": 100_001}, "uses"),
        ({"codes": 0}, "codes"),
        ({"codes": 101}, "codes"),
        ({"expires_at": NOON}, "expires"),
        ({"note": " "}, "note"),
        ({"note": "x" * 101}, "note"),
    ],
)
def test_invalid_voucher_names_its_field(wrong: dict[str, object], field: str) -> None:
    with pytest.raises((BadInput, BadMoney)) as refused:
        made(**wrong)

    assert refused.value.field == field


def test_an_operator_makes_no_more_than_the_approval_limit_in_a_day_also_with_credits() -> None:
    operator, customer = an_operator(), a_customer("0")
    made(uses=3, codes=2, made_by=operator.id)

    with pytest.raises(ActionRefused, match="worth 50"):
        made(uses=5, made_by=operator.id, form_key="another key")
    with transaction():
        credit = BalanceChange(ProposalKind.CREDIT, customer.id, 5 * TEN, "A gift.", "key", operator.id, "o")
        done = second_approval.move_or_propose(credit, balance_nanos=0, limit_nanos=LIMIT, now=NOON)
    assert done.transfer_id is None and done.proposal_id is not None
    assert len(made(uses=4, made_by=operator.id, form_key="a third key")) == 1
    assert len(made(uses=10, made_by=operator.id, form_key="next day", now=NOON + timedelta(hours=25))) == 1


def test_a_form_sent_twice_makes_its_vouchers_once() -> None:
    operator = an_operator()
    made(made_by=operator.id)

    with pytest.raises(StaleForm):
        made(made_by=operator.id)

    assert len(vouchers.listed(after=None, most=10)) == 1


def test_the_audit_sees_a_count_that_differs_from_the_transfers() -> None:
    (code,) = made(uses=3)
    redeem(code, a_customer("0").id)
    assert audit.audit().is_sound

    with transaction():
        db.session.execute(update(Voucher).values(used=2))

    (difference,) = audit.audit().differences
    assert "was used 2 times" in difference and "its 1 transfers" in difference
