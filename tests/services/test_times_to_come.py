"""Timestamps in the future, stored by a fast clock: never counted as fresh, and no due work waits for them."""

from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, timed_cache, transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.status import Status
from panel.jobs import probes
from panel.models import AuditRun, Measurement, Order, Provider
from panel.services import delivery_times, health
from panel.services.office import providers_view
from panel.services.platform import audit_runs, canary, checks, measurements, status_page
from panel.services.platform import current as present
from panel.services.providers import health as provider_health
from tests.support.factories import a_customer, a_provider, a_tool, an_operator, an_order, logged_in

HOUR = timedelta(hours=1)


def a_round(*, ahead: timedelta) -> None:
    found = [Finding(component, State.OPERATIONAL, 5, "It answers.") for component in Component]
    with transaction():
        measurements.record(found, interval_seconds=60, now=utc_now() + ahead)
    timed_cache.clear()


def test_round_to_come_says_nothing_of_the_present(client: FlaskClient) -> None:
    a_round(ahead=HOUR)
    with transaction():
        health.beat("here", now=utc_now())

    found = present.read(interval_seconds=60, now=utc_now())
    page = client.get("/platform-status").text

    assert found.measured_at is None and found.state is not State.OPERATIONAL
    assert "No measurement yet." in page and "Every part of the platform works." not in page
    assert client.get("/platform-status.json").get_json()["measured_at"] is None
    assert all(row.typical is None for row in status_page.read(interval_seconds=60, now=utc_now()).rows)


def test_heartbeat_to_come_is_no_worker(client: FlaskClient) -> None:
    a_round(ahead=timedelta())
    with transaction():
        health.beat("here", now=utc_now() + HOUR)
    timed_cache.clear()

    assert (client.get("/readyz").status_code, client.get("/readyz").text) == (503, "not ready: worker\n")
    assert present.read(interval_seconds=60, now=utc_now()).is_stale
    assert health.heartbeat_age_seconds(now=utc_now()) is None


@pytest.mark.both_engines
def test_next_round_is_written_and_those_to_come_are_dropped() -> None:
    a_round(ahead=HOUR)
    a_round(ahead=timedelta())

    newest = max(db.session.scalars(select(Measurement.at)))
    assert newest <= utc_now()
    assert present.read(interval_seconds=60, now=utc_now()).measured_at == newest


def test_audit_and_test_order_are_due_after_those_to_come() -> None:
    now = utc_now()
    with transaction():
        db.session.add(AuditRun(at=now + 400 * 24 * HOUR, took_ms=1, orders=0, is_sound=True))

    assert audit_runs.newest(now=now) is None and audit_runs.is_due(now=now)
    probes.audit(worker="here")
    assert not audit_runs.is_due(now=utc_now())
    to_come = canary.Canary(1, now + 24 * HOUR, None, None, None, 1, 0)
    assert canary.is_due(to_come, every_seconds=300, now=now)


def test_answer_of_a_provider_to_come_is_no_answer() -> None:
    tool = a_tool()
    with transaction():
        db.session.execute(update(Provider).values(answered_at=utc_now() + HOUR))

    [check] = checks.providers(now=utc_now())
    assert check.state is State.UNKNOWN
    with transaction():
        provider_health.answered(tool.provider_id, now=utc_now())
    [check] = checks.providers(now=utc_now())
    assert check.state is State.OPERATIONAL


def test_balance_to_come_is_no_data_and_an_answer_is_an_answer(client: FlaskClient) -> None:
    provider, office = a_provider("panel_api", name="upstream"), logged_in(client, an_operator())
    with transaction():
        providers_view.note_balance(provider.id, "12.50 USD", now=utc_now() + HOUR)
    ahead = office.get(f"/office/providers/{provider.id}").text

    with transaction():
        providers_view.note_balance(provider.id, "12.50 USD", now=utc_now())
    page, table = office.get(f"/office/providers/{provider.id}").text, office.get("/office/providers").text

    assert "12.50 USD" not in ahead and "No data" in ahead
    assert "12.50 USD, as of" in page and "Not asked yet" not in page + table and "None yet" not in page + table


def test_delivery_times_to_come_or_below_nothing_are_not_measured() -> None:
    customer, tool = a_customer("1000"), a_tool()
    now = utc_now()
    for number in range(2 * delivery_times.MIN_SAMPLE):
        order = an_order(customer=customer, tool=tool, quantity=10, status=Status.COMPLETED, now=now)
        ended = now + HOUR if number % 2 else now - HOUR
        with transaction():
            times = {"started_at": ended, "completed_at": ended, "ended_at": ended}
            db.session.execute(update(Order).where(Order.id == order.id).values(**times))
    delivery_times.clear_cache()

    assert delivery_times.time_to_completion(now=now) is None
    assert delivery_times.time_to_start(now=now) is None
    assert delivery_times.completions(now=now) == []
