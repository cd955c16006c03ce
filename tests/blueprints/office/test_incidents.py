"""Incidents in the office and on the command line: opened, updated, resolved; proposals published or dismissed."""

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.platform.component_states import Component
from panel.models import AuditLogEntry, Incident
from panel.services.platform import incident_reads, incidents
from tests.support.factories import a_customer, an_operator, logged_in

FORM = {
    "request_id": "form-12345678",
    "title": "Orders <b>wait</b>",
    "phase": "investigating",
    "text": "We look into it.",
    "impact": "New orders start late.",
    "state-dispatch": "partial",
}


@pytest.fixture
def office(client: FlaskClient) -> FlaskClient:
    return logged_in(client, an_operator(email="operator@example.com"))


def test_incident_opened_in_the_office_is_read_by_everyone(office: FlaskClient) -> None:
    answer = office.post("/office/incidents", data=FORM)
    again = office.post("/office/incidents", data=FORM)

    [incident] = incident_reads.open_now()
    assert (answer.status_code, answer.location, again.location) == (
        303,
        f"/office/incidents/{incident.id}",
        f"/office/incidents/{incident.id}",
    )
    page = office.get(f"/platform-status/incidents/{incident.slug}").text
    assert "Orders &lt;b&gt;wait&lt;/b&gt;" in page and "New orders start late." in page
    assert db.session.scalars(select(AuditLogEntry.actor)).all() == ["operator@example.com"]


@pytest.mark.parametrize(
    "wrong",
    [{"title": ""}, {"text": "  "}, {"phase": "over"}, {"state-dispatch": "splendid"}, {"state-moon": "major"}],
)
def test_invalid_form_keeps_its_values(office: FlaskClient, wrong: dict[str, str]) -> None:
    answer = office.post("/office/incidents", data=FORM | wrong)

    assert answer.status_code == 422
    assert "Nothing was published yet" in answer.text
    assert "New orders start late." in answer.text
    assert incident_reads.open_now() == []


def test_second_of_two_operators_sees_the_first_ones_update(office: FlaskClient) -> None:
    office.post("/office/incidents", data=FORM)
    [incident] = incident_reads.open_now()
    say = {"phase": "resolved", "text": "It is over.", "updates": "1"}

    first = office.post(f"/office/incidents/{incident.id}/updates", data=say)
    second = office.post(f"/office/incidents/{incident.id}/updates", data=say | {"text": "Mine too."})

    assert (first.status_code, second.status_code) == (303, 409)
    assert [update.text for update in incident_reads.any_of(incident.id).updates] == ["It is over.", "We look into it."]


def test_a_resolved_incident_still_names_what_it_affected(office: FlaskClient) -> None:
    office.post("/office/incidents", data=FORM)
    [incident] = incident_reads.open_now()

    office.post(
        f"/office/incidents/{incident.id}/updates", data={"phase": "resolved", "text": "It is over.", "updates": "1"}
    )

    assert 'data-label="Affects">Dispatch</td>' in office.get("/office/incidents").text


def test_planned_work_is_announced_with_its_window(office: FlaskClient) -> None:
    typed = FORM | {"phase": "planned", "since": "2036-11-24 14:05", "until": "2036-11-24T16:05"}

    answer = office.post("/office/incidents", data=typed)
    wrong = office.post("/office/incidents", data=typed | {"request_id": "form-87654321", "until": "tomorrow"})

    [work] = incident_reads.planned(now=utc_now())
    assert answer.status_code == 303
    assert f"{work.planned_from:%Y-%m-%d %H:%M}" == "2036-11-24 14:05"
    assert wrong.status_code == 422 and "such as 2026-11-24 14:05" in wrong.text


def test_proposal_is_hidden_until_published_and_removed_once_dismissed(office: FlaskClient) -> None:
    first, second = proposed(Component.DISPATCH), proposed(Component.SITE)
    slug = incident_reads.any_of(first).slug
    hidden = office.get(f"/platform-status/incidents/{slug}").status_code

    published = office.post(f"/office/incidents/{first}/publication", data=FORM)
    dismissed = office.post(f"/office/incidents/{second}/dismissal", data={"reason": "A test of ours."})

    assert (hidden, published.status_code, dismissed.status_code) == (404, 303, 303)
    assert office.get(f"/platform-status/incidents/{slug}").status_code == 200
    assert incident_reads.proposals() == []
    assert [each.id for each in incident_reads.open_now()] == [first]
    assert office.post(f"/office/incidents/{second}/dismissal", data={"reason": "Again."}).status_code == 409


@pytest.mark.parametrize("path", ["", "/new", "/plan", "/1"])
def test_others_find_nothing_here(client: FlaskClient, path: str) -> None:
    proposed(Component.SITE)

    assert client.get(f"/office/incidents{path}").status_code == 404
    assert logged_in(client, a_customer()).get(f"/office/incidents{path}").status_code == 404


@pytest.mark.parametrize("path", ["", "/new", "/plan", "/1"])
def test_operator_finds_every_page(office: FlaskClient, path: str) -> None:
    proposed(Component.SITE)

    assert office.get(f"/office/incidents{path}").status_code == 200


def test_commands_open_update_and_resolve(app: Flask) -> None:
    run = app.test_cli_runner().invoke

    opened = run(args=["incidents", "open", "Slow", "--text", "We look.", "--affects", "site=degraded"])
    number = opened.stdout.strip()
    updated = run(args=["incidents", "update", number, "--text", "Found.", "--phase", "identified"])
    listed = json.loads(run(args=["incidents", "list", "--json"]).stdout)
    resolved = run(args=["incidents", "resolve", number, "--text", "Over."])
    refused = run(args=["incidents", "resolve", number, "--text", "Over."])

    assert [each.exit_code for each in (opened, updated, resolved, refused)] == [0, 0, 0, 1]
    assert [(each["phase"], each["updates"]) for each in listed] == [("identified", 2)]
    db.session.rollback()
    assert db.session.get_one(Incident, int(number)).resolved_at is not None


def proposed(component: str) -> int:
    with transaction():
        made = incidents.propose(component, title="Out", text="Measured.", began_at=utc_now(), now=utc_now())
        assert made is not None
        return made.id
