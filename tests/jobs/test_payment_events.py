"""Payment sweep: an event that fails doesn't hold the others, and is tried again."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.payment import PaymentMethod, PaymentReport
from panel.jobs import payments
from panel.models import PaymentEvent, PaymentEventState
from panel.services.money import ledger
from panel.services.payments import events, settlement
from tests.support.factories import a_customer
from tests.support.pretend_payments import SIGNATURE_HEADER, a_deposit, an_event, turn_on


def test_event_that_fails_is_tried_again_and_the_others_are_applied(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = turn_on(app)
    customers = [a_customer("0"), a_customer("0")]
    for customer in customers:
        body, signature = an_event(gateway, a_deposit(customer))
        event = gateway.read_event(body, {SIGNATURE_HEADER: signature})
        with transaction():
            events.receive(PaymentMethod.PRETEND_CARD, event, raw="", now=utc_now())
    first, lock = (
        db.session.scalars(select(PaymentEvent.reference).order_by(PaymentEvent.id)).first(),
        settlement.lock_deposit,
    )

    def fail_for_the_first(method: PaymentMethod, report: PaymentReport) -> object:
        if report.reference == first:
            raise RuntimeError("a fault of ours")
        return lock(method, report)

    with monkeypatch.context() as patched:
        patched.setattr(settlement, "lock_deposit", fail_for_the_first)
        assert payments.work_on_events(worker="w") == 1

    failed = db.session.scalars(select(PaymentEvent).where(PaymentEvent.reference == first)).one()
    assert failed.state == PaymentEventState.NEW
    assert failed.due_at is not None
    assert timedelta() < failed.due_at - utc_now() <= events.LOOK_AGAIN
    with transaction():
        failed.due_at = utc_now()
    assert payments.work_on_events(worker="w") == 1
    assert [ledger.balance_nanos(customer.id) for customer in customers] == [25_000_000_000] * 2
