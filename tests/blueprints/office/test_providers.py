"""Providers in the office: health, pause, public name, API keys (never shown), and our balance."""

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import provider_balances
from panel.models import AuditLogEntry, Provider
from panel.services.office import providers_view
from panel.services.providers import health as provider_health
from panel.services.providers import registry as provider_registry
from tests.support.factories import NOON, a_provider, a_tool, an_order, reload
from tests.support.hostile_provider import KEY, hostile_provider, http_response, provider_at

HOSTILE = "<script>x</script>{{7*7}}"


def test_health_is_described_in_words(office: FlaskClient) -> None:
    silent, slow, well = (a_provider("panel_api", name=name) for name in ("silent", "slow", "well"))
    now = utc_now()
    with transaction():
        for _ in range(2):
            provider_health.failed(silent.id, text=HOSTILE, now=now)
        provider_health.refused(slow.id, text="Too many requests", stops=False, now=now)
        provider_health.answered(well.id, now=now)

    states = {each.row.name: each.state for each in providers_view.listed(now=now)}
    page = office.get(f"/office/providers/{silent.id}").text

    assert states == {
        "silent": "2 calls in a row failed",
        "slow": "Waiting: it asked us to slow down",
        "well": "Responding",
    }
    assert "&lt;script&gt;" in page and "<script>x" not in page
    assert "Next call after" in page


def test_orders_by_hand_count_as_waiting_until_someone_takes_them_up() -> None:
    tool = a_tool(provider="manual")
    for status in (Status.PENDING, Status.PENDING, Status.IN_PROGRESS, Status.COMPLETED):
        an_order(tool=tool, status=status)

    [by_hand] = [each for each in providers_view.listed(now=NOON) if each.row.id == tool.provider_id]

    assert (by_hand.waiting_orders, by_hand.open_orders) == (2, 1)


@pytest.mark.both_engines
def test_an_answer_is_noted_once_a_minute_and_ends_no_wait_that_the_provider_asked_for() -> None:
    provider = a_provider("panel_api")
    with transaction():
        provider_health.answered(provider.id, now=NOON)
        provider_health.refused(provider.id, text="Too many requests", stops=False, now=NOON)
    for seconds in (30, 61, 90):
        with transaction():
            provider_health.answered(provider.id, now=NOON + timedelta(seconds=seconds))

    assert reload(provider).answered_at == NOON + timedelta(seconds=61)
    assert provider.call_after == NOON + timedelta(seconds=provider_health.RATE_LIMIT_WAIT_SECONDS)

    with transaction():
        provider_health.failed(provider.id, text="gone", now=NOON)
        provider_health.answered(provider.id, now=NOON + timedelta(seconds=62))
    assert (reload(provider).failures, provider.call_after) == (0, None)  # type: ignore[comparison-overlap]


def test_customers_read_a_name_that_says_nothing_unless_an_operator_chose_one(office: FlaskClient) -> None:
    provider, other = a_provider("panel_api", name="cheap-upstream"), a_provider("manual")
    address = f"/office/providers/{provider.id}/public-name"
    default = provider_registry.public_name(provider)

    named = office.post(address, data={"public_name": "Provider North"})
    taken = office.post(f"/office/providers/{other.id}/public-name", data={"public_name": "Provider North"})
    long = office.post(address, data={"public_name": "x" * 41})

    assert default == f"Provider {provider.id}"
    assert [each.status_code for each in (named, taken, long)] == [303, 409, 422]
    assert provider_registry.public_name(reload(provider)) == "Provider North"


def test_a_provider_is_paused_and_resumed_with_a_reason(office: FlaskClient) -> None:
    provider = a_provider("panel_api")
    order = an_order(tool=a_tool(provider=provider))
    address = f"/office/providers/{provider.id}"

    answers = [
        office.post(f"{address}/{action}", data={"reason": reason}).status_code
        for action, reason in (("pause", ""), ("pause", "No funds."), ("pause", "Twice."))
    ]
    paused = office.get(address).text
    answers += [office.post(f"{address}/resume", data={"reason": "Paid."}).status_code for _ in range(2)]

    assert answers == [422, 303, 409, 303, 409]
    assert "No funds." in paused
    assert reload(order).status == "pending"
    actions = db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all()
    assert actions == ["providers pause", "providers resume"]


def test_calls_at_once_are_set_within_their_bounds(office: FlaskClient) -> None:
    provider, by_hand = a_provider("panel_api"), a_provider("manual")
    address = f"/office/providers/{provider.id}"
    default = provider.calls_at_once

    typed = ("0", "33", "", "8.5", "\u0663", "999", " 32 ")
    answers = [office.post(f"{address}/calls-at-once", data={"calls_at_once": each}) for each in typed]
    refused = office.post(f"/office/providers/{by_hand.id}/calls-at-once", data={"calls_at_once": "3"})

    assert default == 8
    assert [each.status_code for each in answers] == [*[422] * 6, 303]
    assert "Write a whole number from 1 to 32." in answers[0].text
    assert (reload(provider).calls_at_once, refused.status_code) == (32, 409)
    assert 'value="32"' in office.get(address).text
    assert "Calls at once" not in office.get(f"/office/providers/{by_hand.id}").text
    assert db.session.scalars(select(AuditLogEntry.action)).all() == ["providers calls at once"]


def test_a_key_is_replaced_once_a_form_and_never_shown(app: Flask, office: FlaskClient) -> None:
    settings = app.config["PANEL"]
    provider = provider_at("https://panel.example/api/v2", settings=settings)
    address = f"/office/providers/{provider.id}"
    data = {"key": "  the-new-key  ", "fingerprint": provider_registry.key_fingerprint(provider)}

    empty = office.post(f"{address}/key", data=data | {"key": " "})
    first, second = (office.post(f"{address}/key", data=data) for _ in range(2))

    assert [each.status_code for each in (empty, first, second)] == [422, 303, 409]
    assert provider_registry.decrypt(reload(provider).encrypted_key, settings=settings) == "the-new-key"
    shown = office.get(address).text + office.get("/office/providers").text + empty.text + second.text
    shown += " ".join(db.session.scalars(select(AuditLogEntry.detail)))
    for secret in ("the-new-key", KEY, provider.encrypted_key):
        assert secret not in shown


def test_a_provider_is_added_with_what_its_kind_needs(office: FlaskClient) -> None:
    upstream = {"name": "up", "kind": "panel_api", "url": "https://panel.example/api/v2", "key": "secret-key-1"}

    keyless = office.post("/office/providers/new", data=upstream | {"key": ""})
    wrong = office.post("/office/providers/new", data=upstream | {"url": "ftp://x"})
    kindless = office.post("/office/providers/new", data=upstream | {"kind": "other"})
    added, twice = (office.post("/office/providers/new", data=upstream) for _ in range(2))

    assert [each.status_code for each in (keyless, wrong, kindless, added, twice)] == [422, 422, 422, 303, 409]
    assert 'value="up"' in keyless.text and "secret-key-1" not in wrong.text
    assert "up" in office.get(added.location).text


def test_only_upstream_panels_have_keys_and_balances(office: FlaskClient) -> None:
    address = f"/office/providers/{a_provider('manual').id}"

    assert office.post(f"{address}/balance").status_code == 409
    assert office.post(f"{address}/key", data={"key": "x", "fingerprint": ""}).status_code == 409
    assert "Replace the key" not in office.get(address).text
    assert office.get("/office/providers/999").status_code == 404


def test_the_balance_is_asked_by_the_job_and_never_by_a_page(app: Flask, office: FlaskClient) -> None:
    with hostile_provider() as server:
        provider = provider_at(server.url, settings=app.config["PANEL"])
        address = f"/office/providers/{provider.id}"
        server.answers["balance"] = http_response({"balance": f"12.5{HOSTILE}", "currency": "USD"})

        office.post(f"{address}/balance")
        office.get(address)
        asked_by_pages = len(server.calls)
        swept = [provider_balances.sweep(worker="test", wait=True) for _ in range(2)]
        page = office.get(address).text
        server.answers["balance"] = http_response(b"<html>")
        office.post(f"{address}/balance")
        provider_balances.sweep(worker="test", wait=True)
        later = office.get(address).text

    assert (asked_by_pages, swept, server.count("balance")) == (0, [1, 0], 2)
    assert "12.5&lt;script&gt;" in page and "<script>x" not in page
    assert "12.5&lt;script&gt;" in later and "without a usable answer" in later
    due = reload(provider).balance_due_at
    assert due is not None and due > utc_now()


def test_existing_providers_are_checked_only_on_request() -> None:
    provider = a_provider("panel_api")
    with transaction():
        db.session.execute(update(Provider).values(balance_due_at=None))

    assert providers_view.balances_due(now=utc_now()) == []
    with transaction():
        providers_view.request_balance_check(provider.id, actor="anna", now=utc_now())
    assert providers_view.balances_due(now=utc_now()) == [provider.id]


def test_a_provider_that_gets_one_order_at_a_time_can_be_paused_and_resumed(office: FlaskClient) -> None:
    provider = a_provider("panel_api")
    with transaction():
        unclear = provider_health.UNCLEAR_AFTER
        db.session.execute(update(Provider).where(Provider.id == provider.id).values(unclear_adds=unclear))
    address = f"/office/providers/{provider.id}"

    page = office.get(address).text
    paused = office.post(f"{address}/pause", data={"reason": "We look into it."})
    held = office.get(address).text

    assert f'action="{address}/pause"' in page and f'action="{address}/resume"' in page
    assert (paused.status_code, reload(provider).pause_reason) == (303, "We look into it.")
    assert f'action="{address}/pause"' not in held and f'action="{address}/resume"' in held
