"""Probes: the test order is processed like any order, and doesn't count in reports about customers."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.platform.component_states import Component, State
from panel.domain.status import Status
from panel.jobs import dispatch, probes, provider_calls, sync
from panel.models import AuditRun, Measurement, Order, Provider, Tool, Transfer, TransferKind, User
from panel.services import delivery_times, health, test_orders
from panel.services.catalogue import search_index, tools
from panel.services.money import audit, export, ledger
from panel.services.platform import canary, checks
from panel.settings import secret_key
from tests.support.factories import a_tool, an_order

KEY = "smm_a_key_of_tests"


@pytest.mark.both_engines
def test_test_order_reaches_its_final_status_and_is_refunded() -> None:
    begin_canary()

    dispatch.sweep(worker="here", wait=True)
    passed(seconds=11)
    passed(seconds=60)

    newest = canary.newest()
    assert newest is not None and newest.ended_at is not None and newest.handed_over_at is not None
    assert newest.started_at is not None
    assert newest.has_its_money_back
    assert db.session.get_one(Order, newest.order_id).status == Status.CANCELED
    assert audit.audit().is_sound


def test_test_order_is_in_nobodys_figures() -> None:
    an_order()
    before = (books(), health.numbers(now=utc_now()).orders_by_status, audit.audit().orders, audit.audit().transfers)

    begin_canary()

    assert before == (
        books(),
        health.numbers(now=utc_now()).orders_by_status,
        audit.audit().orders,
        audit.audit().transfers,
    )
    assert test_orders.TOOL_SLUG not in [tool.slug for tool in (*tools.listed(), *tools.listed_all())]
    assert tools.find(test_orders.TOOL_SLUG) is None
    assert "Test" not in search_index.current().categories


def test_test_orders_are_not_measured_as_customers_orders() -> None:
    begin_canary()
    dispatch.sweep(worker="here", wait=True)
    passed(seconds=60)

    assert delivery_times.time_to_start(now=utc_now()) is None
    assert delivery_times._read(now=utc_now()) == ()


def test_no_sale_is_booked_and_no_balance_grows() -> None:
    for _order in range(3):
        begin_canary()
        dispatch.sweep(worker="here", wait=True)
        passed(seconds=60)

    kept = select(func.count()).where(Transfer.kind == TransferKind.KEEP)
    assert db.session.scalar(kept) == 0
    user_id = db.session.scalar(select(test_orders.customer_id()))
    assert user_id is not None and ledger.balance_nanos(user_id) == canary.FLOAT_NANOS


def test_next_test_order_waits_for_the_last_one_and_for_its_time() -> None:
    placed = utc_now()
    under_way = canary.Canary(1, placed, None, None, None, 1, 0)
    ended = canary.Canary(1, placed, placed, placed, placed, 1, 1)

    assert canary.is_due(None, every_seconds=300, now=placed)
    assert not canary.is_due(under_way, every_seconds=300, now=placed + timedelta(minutes=59))
    assert canary.is_due(under_way, every_seconds=300, now=placed + timedelta(minutes=60))
    assert not canary.is_due(ended, every_seconds=300, now=placed + timedelta(seconds=299))
    assert canary.is_due(ended, every_seconds=300, now=placed + timedelta(seconds=300))


def test_round_without_a_site_says_so_and_measures_the_rest() -> None:
    probes.sweep(worker="here")

    found = {row.component: State(row.state) for row in db.session.scalars(select(Measurement))}
    assert found[Component.SITE] is State.MAJOR
    assert found[Component.API] is State.MAJOR
    assert found[Component.ORDERING] is State.OPERATIONAL
    assert found[Component.PLATFORM] is State.MAJOR
    assert canary.newest() is not None
    assert canary.has_key(canary.key_of(secret_key(provider_calls.panel_settings())))


def test_waiting_order_shows_its_age() -> None:
    now = utc_now()
    an_order(now=now - timedelta(seconds=90))

    found = checks.dispatch(now=now)

    assert (found.state, found.text) == (State.DEGRADED, "The oldest order has waited 90 seconds to be sent.")


def test_orders_of_a_provider_that_does_not_answer_are_its_own_trouble() -> None:
    order = an_order(now=utc_now() - timedelta(hours=1))
    with transaction():
        provider = db.session.get_one(Provider, order.provider_id)
        provider.failures = 7

    assert checks.dispatch(now=utc_now()).state is State.OPERATIONAL
    [check] = checks.providers(now=utc_now())
    assert (check.state, check.text) == (State.MAJOR, "7 calls in a row had no usable answer.")


def test_provider_that_is_asked_nothing_has_no_data() -> None:
    a_tool()

    [check] = checks.providers(now=utc_now())

    assert check.state is State.UNKNOWN


def test_late_question_degrades_order_updates() -> None:
    order = an_order(status=Status.IN_PROGRESS)
    with transaction():
        db.session.get_one(Order, order.id).sync_at = utc_now() - timedelta(minutes=3)

    found = checks.updates(None, sync_seconds=10, now=utc_now())

    assert (found.state, found.text) == (State.DEGRADED, "Updates are 3 minutes late.")


def test_an_inconsistent_ledger_is_a_major_outage_of_refunds() -> None:
    order = an_order()
    with transaction():
        db.session.get_one(Order, order.id).kept_nanos = 1

    probes.audit(worker="here")

    assert checks.refunds(None, now=utc_now()).state is State.MAJOR
    assert "says charged" in db.session.scalars(select(AuditRun.differences)).one()


def test_audit_runs_again_only_after_its_pause() -> None:
    probes.audit(worker="here")
    probes.audit(worker="here")

    assert db.session.scalar(select(func.count()).select_from(AuditRun)) == 1


def begin_canary() -> None:
    if not canary.is_prepared():
        with transaction():
            canary.prepare(key=KEY, now=utc_now())
    with transaction():
        customer_id = db.session.scalar(select(test_orders.customer_id()))
        orders = db.session.scalar(select(func.count()).where(Order.customer_id == customer_id)) or 0
        canary.place(now=utc_now() - timedelta(seconds=30 - orders))


def passed(*, seconds: int) -> None:
    """Make the newest test order this old for the simulator, and sync it."""
    newest = canary.newest()
    assert newest is not None
    with transaction():
        order = db.session.get_one(Order, newest.order_id)
        seed, _dash, millis = (order.provider_order_id or "").rpartition("-")
        order.provider_order_id = f"{seed}-{int(millis) - seconds * 1_000}"
        order.sync_at = utc_now()
    sync.sweep(worker="here", wait=True)


def books() -> list[dict[str, object]]:
    return list(export.rows())


def test_people_cannot_sign_up_as_the_test_customer() -> None:
    begin_canary()

    emails = db.session.scalars(select(User.email)).all()
    slugs = db.session.scalars(select(Tool.slug)).all()

    assert [email for email in emails if "@" not in email] == [test_orders.CUSTOMER_EMAIL]
    assert [slug for slug in slugs if "_" in slug] == [test_orders.TOOL_SLUG]
