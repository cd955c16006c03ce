"""Incidents: append-only, proposed by the probes, and never better than the measured state."""

from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from panel.db import db, timed_cache, transaction
from panel.domain.errors import ActionRefused, BadInput, PanelError, StaleForm
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.platform.incidents import Phase
from panel.models import AuditLogEntry, Incident
from panel.services import health
from panel.services.platform import current as present
from panel.services.platform import (
    incident_proposals,
    incident_reads,
    incidents,
    measurements,
    status_page,
)
from panel.services.platform.incidents import UpdateText, Window
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON

MINUTE = timedelta(minutes=1)
BEGINNING = UpdateText(Phase.INVESTIGATING, "We look into it.", {"dispatch": State.PARTIAL}, impact="Orders wait.")


def test_incident_is_announced_until_it_is_resolved() -> None:
    incident_id = opened()
    add_update(incident_id, UpdateText(Phase.IDENTIFIED, "A full disk.", {"dispatch": State.DEGRADED}), minutes=10)
    add_update(incident_id, UpdateText(Phase.RESOLVED, "It is over.", {"dispatch": State.MAJOR}, cost="$0"), minutes=20)

    incident = incident_reads.any_of(incident_id)

    assert [update.phase for update in incident.updates] == [Phase.RESOLVED, Phase.IDENTIFIED, Phase.INVESTIGATING]
    assert (incident.resolved_at, incident.impact, incident.cost, incident.parts) == (
        NOON + 20 * MINUTE,
        "Orders wait.",
        "$0",
        (),
    )
    assert incident_reads.open_now() == []
    assert [each.id for each in incident_reads.past(now=NOON + 30 * MINUTE)] == [incident_id]
    actions = db.session.scalars(
        select(AuditLogEntry.action).where(AuditLogEntry.subject == f"incident {incident_id}")
    ).all()
    assert actions == ["incidents open", "incidents update", "incidents update"]


def test_same_form_opens_one_incident() -> None:
    assert opened() == opened()


@pytest.mark.both_engines
def test_same_form_in_the_same_moment_opens_one_incident(app: Flask) -> None:
    with transaction():
        first = incidents.open_incident("Orders wait", BEGINNING, request_id="form-0001", actor="o", now=NOON).id
        second = start_in_thread(app, opened)

    assert second.result(30) == first
    assert db.session.scalars(select(AuditLogEntry.action)).all() == ["incidents open"]


@pytest.mark.both_engines
def test_another_form_with_the_title_in_the_same_moment_is_refused_or_gets_an_address_of_its_own(app: Flask) -> None:
    with transaction():
        incidents.open_incident("Orders wait", BEGINNING, request_id="form-0000", actor="o", now=NOON)
        second = start_in_thread(app, opened)

    assert second.exception(30) is None or isinstance(second.exception(), ActionRefused)


def test_form_that_saw_fewer_updates_says_nothing() -> None:
    incident_id = opened()
    add_update(incident_id, UpdateText(Phase.IDENTIFIED, "Found."), minutes=1)

    with pytest.raises(StaleForm), transaction():
        incidents.update(incident_id, UpdateText(Phase.RESOLVED, "Over."), seen_updates=1, actor="o", now=NOON)

    assert incident_reads.any_of(incident_id).is_open


def test_resolved_incident_stays_resolved() -> None:
    incident_id = opened()
    add_update(incident_id, UpdateText(Phase.RESOLVED, "Over."), minutes=1)

    with pytest.raises(ActionRefused):
        add_update(incident_id, UpdateText(Phase.INVESTIGATING, "Again."), minutes=2)


@pytest.mark.parametrize(
    "words",
    [
        UpdateText(Phase.INVESTIGATING, ""),
        UpdateText(Phase.INVESTIGATING, "bell \x07"),
        UpdateText(Phase.INVESTIGATING, "x" * 2_001),
        UpdateText(Phase.INVESTIGATING, "ok", {"moon": State.MAJOR}),
        UpdateText(Phase.RESOLVED, "ok"),
        UpdateText(Phase.PLANNED, "ok"),
    ],
)
def test_invalid_incident_is_refused(words: UpdateText) -> None:
    with pytest.raises(BadInput), transaction():
        incidents.open_incident("Title", words, request_id="form-0002", actor="o", now=NOON)

    assert db.session.scalar(select(Incident.id)) is None


@pytest.mark.both_engines
def test_incident_updates_cannot_be_changed() -> None:
    incident_id = opened()

    for table, change in (("incident_updates", "text = ''"), ("incident_parts", "state = 'major'")):
        for statement in (f"UPDATE {table} SET {change}", f"DELETE FROM {table}"):
            with pytest.raises(DatabaseError, match="append-only"), transaction():
                db.session.execute(text(statement))

    assert incident_reads.any_of(incident_id).parts == (("dispatch", State.PARTIAL),)


def test_open_incident_makes_a_component_worse_and_never_better() -> None:
    measured(State.OPERATIONAL, at=NOON)
    incident_id = opened()
    worse = state_of(Component.DISPATCH, at=NOON)
    measured(State.MAJOR, at=NOON + MINUTE)
    add_update(incident_id, UpdateText(Phase.MONITORING, "Better.", {"dispatch": State.DEGRADED}), minutes=1)

    never_better = state_of(Component.DISPATCH, at=NOON + MINUTE)

    assert (worse, never_better) == (State.PARTIAL, State.MAJOR)


def test_planned_work_counts_only_within_its_window() -> None:
    window = Window(NOON + 10 * MINUTE, NOON + 20 * MINUTE)
    words = UpdateText(Phase.PLANNED, "We move the database.", {"site": State.MAJOR})
    with transaction():
        incidents.open_incident("Move", words, request_id="form-0003", window=window, actor="o", now=NOON)

    states_by_minute = [incident_reads.affected_now(now=NOON + minute * MINUTE) for minute in (9, 10, 19, 20)]

    assert states_by_minute == [{}, {"site": State.MAJOR}, {"site": State.MAJOR}, {}]
    [work] = incident_reads.planned(now=NOON)
    assert [work.phase_label(NOON + minute * MINUTE) for minute in (0, 15, 25)] == [
        "Planned",
        "Under way",
        "Window is over",
    ]


@pytest.mark.parametrize("window", [(10, 10), (10, 5), (-20, -10), (0, 60 * 24 * 20)])
def test_window_must_lie_ahead_and_end_after_it_begins(window: tuple[int, int]) -> None:
    chosen = Window(NOON + window[0] * MINUTE, NOON + window[1] * MINUTE)

    with pytest.raises(PanelError), transaction():
        incidents.open_incident(
            "Move", UpdateText(Phase.PLANNED, "Soon."), request_id="form-0004", window=chosen, actor="o", now=NOON
        )

    assert db.session.scalar(select(Incident.id)) is None


def test_lasting_outage_is_proposed_once_and_not_again_once_dismissed() -> None:
    for minute in range(8):
        measured(State.MAJOR if minute else State.OPERATIONAL, at=NOON + minute * MINUTE)
        made = proposed(State.MAJOR, at=NOON + minute * MINUTE)
        assert len(made) == (minute == 6)

    [proposal] = incident_reads.proposals()
    assert (proposal.title, proposal.began_at) == ("Dispatch: major outage", NOON + MINUTE)
    assert incident_reads.open_now() == []
    with transaction():
        incidents.dismiss(proposal.id, reason="A test.", actor="o", now=NOON + 8 * MINUTE)
    assert proposed(State.MAJOR, at=NOON + 9 * MINUTE) == []


def test_published_proposal_is_an_incident_in_the_operators_words() -> None:
    measured(State.MAJOR, at=NOON)
    measured(State.MAJOR, at=NOON + 5 * MINUTE)
    proposed(State.MAJOR, at=NOON + 5 * MINUTE)
    [proposal] = incident_reads.proposals()

    with transaction():
        incidents.publish(proposal.id, "Orders wait", BEGINNING, actor="o", now=NOON + 6 * MINUTE)

    incident = incident_reads.published(proposal.slug)
    assert (incident.title, incident.impact, incident.began_at) == ("Orders wait", "Orders wait.", NOON)
    with pytest.raises(ActionRefused), transaction():
        incidents.dismiss(proposal.id, reason="Too late.", actor="o", now=NOON + 7 * MINUTE)


def test_long_gap_is_proposed_when_the_worker_is_back() -> None:
    gap = measurements.Gap(NOON, NOON + 15 * MINUTE)

    with transaction():
        [made] = incident_proposals.propose([], gap=gap, now=NOON + 16 * MINUTE)
        title, began_at = made.title, made.began_at

    assert (title, began_at) == ("Orders were not sent", NOON)


def test_component_without_measurements_is_never_operational() -> None:
    first = present.read(interval_seconds=60, now=NOON)

    assert first.sentence == "Nothing has been measured yet."
    assert {each.state for each in first.components} == {State.UNKNOWN}
    assert first.state is State.UNKNOWN


def test_when_no_worker_measures_the_page_says_since_when_and_counts_the_time() -> None:
    measured(State.OPERATIONAL, at=NOON)
    fresh = present.read(interval_seconds=60, now=NOON + timedelta(seconds=health.STALE_SECONDS))

    late = present.read(interval_seconds=60, now=NOON + 100 * timedelta(seconds=1))

    assert not fresh.is_stale
    assert late.sentence.startswith("No measurement since 12:00 UTC.")
    states = {each.key: each.state for each in late.components}
    assert (states["dispatch"], states["site"], late.state) == (State.MAJOR, State.UNKNOWN, State.MAJOR)
    today = {
        key: status_page.read(interval_seconds=60, now=NOON + 100 * timedelta(seconds=1)).rows[place].days[-1].seconds
        for place, key in enumerate(["site", "ordering", "dispatch"])
    }
    assert today["dispatch"][State.MAJOR] == 100
    assert today["site"][State.UNKNOWN] == 100


def opened(at: datetime = NOON) -> int:
    with transaction():
        return incidents.open_incident("Orders wait", BEGINNING, request_id="form-0001", actor="operator", now=at).id


def add_update(incident_id: int, words: UpdateText, *, minutes: int) -> None:
    with transaction():
        incidents.update(incident_id, words, actor="operator", now=NOON + minutes * MINUTE)


def measured(state: State, *, at: datetime) -> None:
    with transaction():
        health.beat("here", now=at)
        measurements.record(
            [Finding(Component.DISPATCH, state), Finding(Component.SITE, State.OPERATIONAL)],
            interval_seconds=60,
            now=at,
        )
    timed_cache.clear()


def proposed(state: State, *, at: datetime) -> list[int]:
    with transaction():
        made = incident_proposals.propose([Finding(Component.DISPATCH, state, text="Nothing moves.")], gap=None, now=at)
        return [incident.id for incident in made]


def state_of(component: str, *, at: datetime) -> State:
    timed_cache.clear()
    found = present.read(interval_seconds=60, now=at)
    return next(each.state for each in found.components if each.key == component)
