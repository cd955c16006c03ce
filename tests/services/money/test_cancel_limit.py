"""Cancellations by support return at most what may be moved without approval in 24 hours."""

from datetime import datetime, timedelta

import pytest
from flask import Flask, current_app

from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.errors import ActionRefused, PanelError
from panel.domain.status import Status
from panel.models import EmailChange, Order, User
from panel.services.money import ledger
from panel.services.office import order_actions
from panel.services.office.order_actions import OrderAction, RequestedAction
from panel.services.orders import transitions
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, an_operator, an_order, reload


def unsent(share: float, *, customer: User | None = None) -> Order:
    """A Pending manual order that costs this share of the limit, at 1 for each."""
    limit: int = current_app.config["PANEL"].second_operator_amount
    customer = customer or a_customer("1000000")
    return an_order(customer=customer, provider="manual", quantity=int(limit * share), price="1000")


def cancel(order: Order, who: User, *, now: datetime = NOON) -> None:
    requested = RequestedAction(OrderAction.CANCEL, "By mistake.", who.email, who.id)
    version = reload(order).version
    with transaction():
        order_actions.do(order.id, requested, version=version, now=now)


@pytest.mark.both_engines
def test_support_cancels_up_to_the_limit_in_24_hours_and_an_operator_above_it(app: Flask) -> None:
    support, operator = an_operator(role=Role.SUPPORT), an_operator(role=Role.OPERATOR)
    half, other_half, more, most = unsent(0.5), unsent(0.5), unsent(0.25), unsent(1.25)

    cancel(half, support)
    cancel(other_half, support)
    with pytest.raises(ActionRefused, match="An operator can cancel this one"):
        cancel(more, support, now=NOON + timedelta(hours=23))
    before = ledger.balance_nanos(more.customer_id)
    cancel(more, operator)
    cancel(most, operator)

    assert [reload(order).status for order in (half, other_half, more, most)] == [Status.CANCELED] * 4
    assert ledger.balance_nanos(more.customer_id) == before + more.charge_nanos


def test_another_email_gives_no_second_limit(app: Flask) -> None:
    support, first, second = an_operator(role=Role.SUPPORT), unsent(1), unsent(0.25)
    cancel(first, support)
    with transaction():
        user, old_email = db.session.get_one(User, support.id), support.email
        user.email = f"another-{old_email}"
        db.session.add(
            EmailChange(
                user_id=user.id,
                old_email=old_email,
                new_email=user.email,
                asked_at=NOON,
                expires_at=NOON + timedelta(hours=24),
                ended_at=NOON,
            )
        )

    with pytest.raises(ActionRefused, match="An operator can cancel this one"):
        cancel(second, reload(support))


def test_a_day_later_support_cancels_again(app: Flask) -> None:
    support, first, second = an_operator(role=Role.SUPPORT), unsent(1), unsent(1)
    cancel(first, support)

    cancel(second, support, now=NOON + timedelta(hours=24))

    assert reload(second).status == Status.CANCELED


def test_what_would_go_above_the_limit_is_not_offered(app: Flask) -> None:
    support, order = an_operator(role=Role.SUPPORT), unsent(1.01)
    row = transitions.read_order(order.id)
    assert row is not None

    offered = order_actions.offered(row, operator_id=support.id, now=NOON)

    assert OrderAction.CANCEL not in [each.action for each in offered]


@pytest.mark.both_engines
def test_cancellations_at_the_same_moment_share_one_limit(app: Flask) -> None:
    support = an_operator(role=Role.SUPPORT)
    orders = [unsent(0.4) for _ in range(4)]
    requested, versions = (
        RequestedAction(OrderAction.CANCEL, "By mistake.", support.email, support.id),
        [order.version for order in orders],
    )

    def cancels(order_id: int, version: int) -> object:
        def do() -> None:
            with transaction():
                order_actions.do(order_id, requested, version=version, now=NOON)

        return do

    run_concurrently(
        app,
        [cancels(order.id, version) for order, version in zip(orders, versions, strict=True)],
        expected=PanelError,
    )

    assert [reload(order).status for order in orders].count(Status.CANCELED) == 2
