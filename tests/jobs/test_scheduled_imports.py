"""Scheduled imports: prices, limits and vanished tools follow the provider; large changes wait for an operator."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs.catalogue import imports
from panel.models import AuditLogEntry, CatalogueImport, Provider, Review, Tool
from panel.services.catalogue import provider_import, tool_settings
from panel.services.catalogue.imports import lifecycle, schedule
from panel.services.catalogue.provider_markup import Markup
from panel.services.providers import registry as provider_registry
from tests.support.catalogue_imports import a_row, offered
from tests.support.factories import an_operator, logged_in
from tests.support.hostile_provider import KEY, HostileProvider, hostile_provider, http_response
from tests.support.page_text import text_of

TEN = tuple(a_row(number) for number in range(1, 11))


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    """A provider whose ten services are sold, with an import every 6 hours."""
    with hostile_provider() as server:
        with transaction():
            key = provider_registry.encrypt(KEY, settings=app.config["PANEL"])
            provider = provider_registry.add_provider(
                "upstream", kind="panel_api", url=server.url, encrypted_key=key, now=utc_now()
            )
            provider_import.import_services(provider, list(TEN), markup=Markup(0), actor="test", now=utc_now())
            schedule.set_hours(provider.id, "6", actor="anna", now=utc_now())
        server.answers["balance"] = http_response({"balance": "100.84292", "currency": "USD"})
        yield server


def after_6_hours(server: HostileProvider, *rows: object) -> CatalogueImport | None:
    """Let the schedule's time pass and the worker do all that is due; returns the newest import."""
    server.answers["services"] = http_response(list(rows))
    with transaction():
        db.session.scalars(select(Provider)).one().import_due_at = utc_now()
    for _ in range(2):
        imports.sweep(worker="test", wait=True)
    db.session.rollback()
    return db.session.scalar(select(CatalogueImport).order_by(CatalogueImport.id.desc()).limit(1))


def test_prices_and_limits_follow_and_the_next_time_is_set(server: HostileProvider) -> None:
    done = after_6_hours(server, a_row(rate="1.00", max=500), *TEN[1:])

    assert done is not None and (done.state, done.actor, done.changed) == ("applied", "schedule", 1)
    assert (offered().price_micros_per_thousand, offered().maximum) == (1_000_000, 500)
    due_at = db.session.scalars(select(Provider.import_due_at)).one()
    assert due_at is not None and timedelta(hours=5) < due_at - utc_now() <= timedelta(hours=6)


def test_nothing_is_added_renamed_or_shown(server: HostileProvider) -> None:
    with transaction():
        db.session.scalars(select(Tool).where(Tool.slug == "page-visits-2")).one().is_hidden = True

    after_6_hours(server, a_row(name="Other", rate="1.00"), *TEN[1:], a_row(11))

    assert (offered().name, offered().price_micros_per_thousand) == ("Page visits", 1_000_000)
    assert offered("page-visits-2").is_hidden
    assert len(db.session.scalars(select(Tool.id)).all()) == 10


def test_vanished_tools_are_hidden_and_stay_so_until_an_operator_imports(server: HostileProvider) -> None:
    after_6_hours(server, *TEN[1:])
    gone = offered().is_hidden
    after_6_hours(server, *TEN)

    assert gone and offered().is_hidden


def test_what_was_set_by_hand_stays(server: HostileProvider) -> None:
    with transaction():
        tool_settings.set_field("page-visits-1", "price_per_thousand", "5", actor="anna", now=utc_now())
        tool_settings.set_field("page-visits-1", "maximum", "200", actor="anna", now=utc_now())

    after_6_hours(server, a_row(rate="9", max=900), *TEN[1:])

    assert (offered().price_micros_per_thousand, offered().maximum) == (5_000_000, 200)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (tuple(a_row(number, rate="0.50") for number in range(1, 11)), "10 prices would fall"),
        (TEN[:4], "6 tools would be hidden"),
    ],
)
def test_large_changes_wait_for_an_operator(server: HostileProvider, rows: tuple[object, ...], why: str) -> None:
    waiting = after_6_hours(server, *rows)

    assert waiting is not None and waiting.state == "ready"
    assert offered().price_micros_per_thousand == 900_000 and not offered("page-visits-10").is_hidden
    assert [why in text for text in db.session.scalars(select(Review.text))] == [True]
    # It is not displaced before the operator has had a day.
    again = after_6_hours(server, *TEN)
    assert again is not None and again.id == waiting.id


def test_waiting_import_shows_the_operator_all_of_the_catalogue(client: FlaskClient, server: HostileProvider) -> None:
    logged_in(client, an_operator())
    after_6_hours(server, *TEN[:4], a_row(12))

    page = client.get("/office/providers/1/import?kind=added").text

    assert 'value="12"' in page


def test_other_currency_opens_a_review(server: HostileProvider) -> None:
    server.answers["balance"] = http_response({"balance": "9", "currency": "INR"})

    failed = after_6_hours(server, a_row(rate="90"))

    assert failed is not None and failed.state == "failed"
    assert ["sells in INR" in text for text in db.session.scalars(select(Review.text))] == [True]
    assert offered().price_micros_per_thousand == 900_000


def test_operators_preview_is_not_displaced(server: HostileProvider) -> None:
    server.answers["services"] = http_response(list(TEN))
    with transaction():
        mine = lifecycle.request_import(1, actor="anna", now=utc_now()).id
    imports.sweep(worker="test", wait=True)

    newest = after_6_hours(server, *TEN)

    assert newest is not None and (newest.id, newest.state) == (mine, "ready")


def test_import_without_a_change_keeps_the_undo_of_the_last_one(server: HostileProvider) -> None:
    after_6_hours(server, a_row(rate="1.00"), *TEN[1:])
    changed = lifecycle.undoable(1)
    after_6_hours(server, a_row(rate="1.00"), *TEN[1:])

    kept = lifecycle.undoable(1)
    assert changed is not None and kept is not None and changed.id == kept.id


def test_schedule_is_set_and_ended_in_the_office(client: FlaskClient, server: HostileProvider) -> None:
    logged_in(client, an_operator())
    page = "/office/providers/1/import"

    refused = [client.post(f"{page}/schedule", data={"hours": hours}).status_code for hours in ("0", "169", "1.5", "x")]
    client.post(f"{page}/schedule", data={"hours": "24"})
    shown = client.get(page).text
    client.post(f"{page}/schedule", data={"hours": ""})

    db.session.rollback()
    assert refused == [422] * 4
    assert 'value="24"' in shown and "Next import" in shown
    assert db.session.scalars(select(Provider.import_due_at)).all() == [None]


def test_undo_in_the_office_ends_the_schedule(client: FlaskClient, server: HostileProvider) -> None:
    logged_in(client, an_operator())
    dear = (a_row(rate="2.00"), *TEN[1:])
    after_6_hours(server, *dear)
    page = "/office/providers/1/import"

    asked = text_of(client.post(f"{page}/undo").text)
    result = client.post(f"{page}/undo", data={"confirmed": "yes"}, follow_redirects=True)
    imports.sweep(worker="test", wait=True)

    db.session.rollback()
    assert "Schedule Every 6 hours; it is turned off" in asked and "turns the schedule off" in asked
    assert "The schedule is off" in result.text
    assert offered().price_micros_per_thousand == 900_000
    assert db.session.execute(select(Provider.import_hours, Provider.import_due_at)).all() == [(None, None)]
    logged = db.session.execute(select(AuditLogEntry.action, AuditLogEntry.detail).order_by(AuditLogEntry.id)).all()
    assert logged[-1] == ("providers schedule", "no schedule, as an import is undone; it was every 6 hours")


def test_undo_by_command_ends_the_schedule(app: Flask, server: HostileProvider) -> None:
    after_6_hours(server, a_row(rate="2.00"), *TEN[1:])

    done = app.test_cli_runner().invoke(args=["providers", "undo-import", "upstream"])
    imports.sweep(worker="test", wait=True)

    db.session.rollback()
    assert done.stderr.startswith("The schedule is off, so that the next import doesn't make the same changes again.")
    assert offered().price_micros_per_thousand == 900_000
    assert db.session.scalars(select(Provider.import_due_at)).all() == [None]
