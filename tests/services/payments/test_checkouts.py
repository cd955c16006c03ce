"""Payment pages at gateways: asked about until they are paid or have ended."""

from datetime import timedelta

from panel.db import transaction
from panel.domain.payment import PaymentReportKind
from panel.services.money import ledger
from panel.services.payments import checkouts
from tests.services.payments.test_settlement import AMOUNT, a_deposit, a_deposit_of, a_report
from tests.support.factories import NOON, a_customer


def test_a_page_is_asked_about_by_one_worker_at_a_time_and_less_and_less_often() -> None:
    reference = a_deposit(a_customer("0"))
    assert checkouts.due(most=10, now=NOON) == []
    waits, now = [], NOON + checkouts.FIRST_LOOK

    while (due := checkouts.due(most=10, now=now)) and len(waits) < 100:
        with transaction():
            assert checkouts.take(due[0], now=now)
            assert not checkouts.take(due[0], now=now)
        following = a_deposit_of(reference).look_up_at
        if following is None:
            break
        waits.append(following - now)
        now = following

    assert waits == sorted(waits) and waits[-1] == checkouts.MAX_WAIT
    assert now - NOON > checkouts.ASKED_FOR and len(waits) < 30


def test_answer_of_the_gateway_is_processed_like_an_event() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    (due,) = checkouts.due(most=10, now=NOON + timedelta(hours=1))

    for _ in range(2):
        with transaction():
            checkouts.apply(due, a_report(reference), now=NOON)

    assert ledger.balance_nanos(customer.id) == AMOUNT
    assert checkouts.due(most=10, now=NOON + timedelta(hours=1)) == []


def test_an_expired_page_ends_the_deposit() -> None:
    customer = a_customer("0")
    reference = a_deposit(customer)
    (due,) = checkouts.due(most=10, now=NOON + timedelta(hours=1))

    with transaction():
        checkouts.apply(due, a_report(reference, PaymentReportKind.EXPIRED, payment_id=""), now=NOON)

    assert a_deposit_of(reference).refused_reason.startswith("It wasn’t paid in time")
    assert ledger.balance_nanos(customer.id) == 0
