"""Timeout against dispatch: the row lock makes the timeout wait, so that it sees the new attempt."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order
from panel.services.orders import dispatch, timeouts
from tests.support import ledger_oracle
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, a_tool, an_order


@pytest.mark.both_engines
def test_order_that_is_being_dispatched_is_not_ended_by_a_timeout(app: Flask) -> None:
    tool, later = a_tool(), NOON + timedelta(hours=30)
    order_id = an_order(tool=tool).id

    def give_up() -> int:
        with transaction():
            return timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=later)

    with transaction():
        taken = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=later)
        waiting = start_in_thread(app, give_up)

    assert [assignment.order.order_id for assignment in taken] == [order_id]
    assert waiting.result(30) == 0
    db.session.rollback()
    assert db.session.scalars(select(Order.status).where(Order.id == order_id)).one() == Status.PENDING
    ledger_oracle.assert_consistent()
