"""Status page, feed and JSON: correct without measurements, and safe with hostile text."""

import json
from datetime import datetime, timedelta
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, timed_cache, transaction
from panel.domain.platform.component_states import Component, Finding, State, provider_key
from panel.domain.platform.incidents import Phase
from panel.domain.status import Status
from panel.models import ComponentDay, Incident, Provider
from panel.services import delivery_times, health
from panel.services.platform import incidents, measurements
from panel.services.platform.incidents import UpdateText
from tests.support.factories import a_customer, a_provider, a_tool, an_order

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "</title><script>alert(1)</script> {{ 7 * 7 }} {% raw %} \"'&amp; ]]> =1+1"


@pytest.mark.parametrize("path", ["/platform-status", "/platform-status.json", "/platform-status.atom"])
def test_answers_before_anything_was_measured(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert "Operational</span></span> Every" not in answer.text


def test_nothing_measured_is_no_data_and_never_a_percentage(client: FlaskClient) -> None:
    page = client.get("/platform-status").text

    assert "Nothing has been measured yet." in page
    assert "100%" not in page
    assert "Site, last 90 days: no data." in page
    assert client.get("/platform-status.json").get_json()["components"][0]["uptime_percent"] is None


def test_measured_component_shows_state_uptime_and_bars(client: FlaskClient) -> None:
    measured(State.OPERATIONAL)

    page = client.get("/platform-status").text

    assert "Every part of the platform works." in page
    assert 'aria-label="Site, last 90 days: 100% up. Days with trouble: 89 without data."' in page
    assert "1 of 90 days measured" in page


def test_page_stays_small_with_ninety_bad_days(client: FlaskClient) -> None:
    today = utc_now().date()
    seconds = {f"{state}_seconds": 1_000 for state in State}
    with transaction():
        for back in range(90):
            day = today - timedelta(days=back)
            db.session.add_all(ComponentDay(component=key, day=day, **seconds) for key in Component)
    measured(State.MAJOR)

    page = client.get("/platform-status")

    assert len(page.data) < 40_000
    assert page.text.count('<svg class="bars"') == 6


def test_stale_measurement_is_shown_with_its_time(client: FlaskClient) -> None:
    at = utc_now() - timedelta(minutes=10)
    measured(State.OPERATIONAL, at=at)

    found = client.get("/platform-status.json").get_json()

    assert found["sentence"].startswith(f"No measurement since {at:%H:%M} UTC.")
    assert found["state"] == "major"
    states = {each["key"]: each["state"] for each in found["components"]}
    assert (states["dispatch"], states["site"]) == ("major", "unknown")
    dispatch = next(each for each in found["components"] if each["key"] == "dispatch")
    assert sum(day["seconds"].get("major", 0) for day in dispatch["days"]) >= 600


def test_open_incident_that_names_no_part_is_in_the_sentence_about_the_whole(client: FlaskClient) -> None:
    measured(State.OPERATIONAL)
    with transaction():
        words = UpdateText(Phase.INVESTIGATING, "We look for the cause.", {})
        incidents.open_incident("Mails come late", words, request_id="form-1", actor="o", now=utc_now())
    timed_cache.clear()

    page = client.get("/platform-status").text

    assert "An incident is open. Every part that we measure works." in page
    assert "Every part of the platform works." not in page


def test_hostile_words_of_an_incident_are_text_everywhere(client: FlaskClient) -> None:
    slug = incident(HOSTILE)

    for path in ("/platform-status", f"/platform-status/incidents/{slug}", "/platform-status/incidents"):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in page
    report = json.loads(client.get("/platform-status.json").data)
    assert report["incidents"][0]["title"] == HOSTILE
    feed = ElementTree.fromstring(client.get("/platform-status.atom").data)
    [entry] = feed.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == f"{HOSTILE}: Investigating"
    content = entry.find(f"{ATOM}content")
    assert content is not None and content.get("type") == "text" and HOSTILE in (content.text or "")


def test_feed_has_what_atom_asks_for(client: FlaskClient) -> None:
    incident("One")
    incident("Two")

    answer = client.get("/platform-status.atom")

    feed = ElementTree.fromstring(answer.data)
    assert answer.mimetype == "application/atom+xml"
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == ["Two: Investigating", "One: Investigating"]
    ids = [element.findtext(f"{ATOM}id") for element in (feed, *entries)]
    assert all(ids) and len(set(ids)) == 3
    assert all(element.findtext(f"{ATOM}updated") for element in (feed, *entries))


@pytest.mark.parametrize("path", ["/platform-status", "/platform-status.json", "/platform-status.atom"])
def test_unchanged_answer_is_304(client: FlaskClient, path: str) -> None:
    tag = client.get(path).headers["ETag"]

    assert client.get(path, headers={"If-None-Match": tag}).status_code in (200, 304)
    assert client.get("/platform-status.atom", headers={"If-None-Match": "*"}).status_code == 304


def test_provider_goes_by_its_public_name_alone(client: FlaskClient) -> None:
    provider = a_provider("simulated", name="secret-upstream")
    a_tool(provider=provider)
    unnamed = client.get("/platform-status").text
    key = provider_key(provider.id)
    with transaction():
        db.session.execute(update(Provider).values(public_name="North <b>"))
    timed_cache.clear()

    # A query string bypasses the page cache.
    named = client.get("/platform-status?again").text

    assert f"Provider {key.rpartition('-')[2]}" in unnamed
    assert "North &lt;b&gt;" in named
    assert "secret-upstream" not in unnamed + named
    assert client.get(f"/platform-status/components/{key}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/platform-status/incidents/none", "/platform-status/incidents/%00", "/platform-status/components/moon"],
)
def test_unknown_incident_is_404(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_days_are_in_a_table_of_text(client: FlaskClient) -> None:
    measured(State.MAJOR)

    page = client.get("/platform-status/components/site").text

    assert page.count('<tr><th scope="row"><span>') == 2
    assert "Major outage for 1 minute" in page
    assert page.count("Not measured") == 1


def test_history_is_grouped_by_month_with_the_duration_of_each_incident(client: FlaskClient) -> None:
    now = utc_now()
    empty = client.get("/platform-status").text
    for days_ago in (70, 8, 7, 100):
        began = now - timedelta(days=days_ago)
        slug = incident(f"Trouble {days_ago}", now=began)
        with transaction():
            found = db.session.scalars(select(Incident.id).where(Incident.slug == slug)).one()
            over = UpdateText(Phase.RESOLVED, "It is over.", {})
            incidents.update(found, over, actor="o", now=began + timedelta(minutes=42))
    timed_cache.clear()

    page = client.get("/platform-status?history").text

    assert "No incidents in the last 90 days." in empty
    months = [f"<h3>{now - timedelta(days=days):%B %Y}</h3>" for days in (7, 8, 70)]
    assert [page.count(month) for month in months] == [1, 1, 1]
    assert page.index("Trouble 7") < page.index("Trouble 8") < page.index("Trouble 70")
    assert "Trouble 100" not in page
    assert page.count(", 42 minutes</span>") == 3


def test_times_are_in_plain_words(client: FlaskClient) -> None:
    now = utc_now()
    for minutes in range(25, 0, -1):
        with transaction():
            site = Finding(Component.SITE, State.OPERATIONAL, 12)
            findings = [site, Finding(Component.API, State.DEGRADED, 1_000 * minutes)]
            measurements.record(findings, interval_seconds=60, now=now - timedelta(minutes=minutes))
    timed_cache.clear()

    page = client.get("/platform-status?times").text

    assert "Response time: under a second in 9 out of 10 cases (25 measurements, last 24 hours)." in page
    assert "Response time: 13 seconds in the median, at most 23 seconds in 9 out of 10 cases" in page
    assert " ms" not in page[page.index("<main") :]


def measured(state: State, *, at: object = None) -> None:
    now = at or utc_now()
    findings = [Finding(key, state, 12, "Words.") for key in Component]
    with transaction():
        health.beat("here", now=now)  # type: ignore[arg-type]
        measurements.record(findings, interval_seconds=60, now=now)  # type: ignore[arg-type]
    timed_cache.clear()


def incident(title: str, *, now: datetime | None = None) -> str:
    words = UpdateText(Phase.INVESTIGATING, title, {"site": State.DEGRADED}, impact=title, cost=title)
    with transaction():
        return incidents.open_incident(title, words, request_id=f"form-{title}", actor="o", now=now or utc_now()).slug


def test_tool_page_draws_how_long_its_orders_took(client: FlaskClient) -> None:
    customer, tool = a_customer("1000"), a_tool()
    for _order in range(delivery_times.MIN_SAMPLE):
        an_order(customer=customer, tool=tool, status=Status.COMPLETED, now=utc_now())
    delivery_times.clear_cache()

    page = client.get(f"/tools/{tool.slug}").text

    assert 'id="times"' in page
    assert '<th scope="row">up to 1 minute</th><td class="num">20</td>' in page
    assert 'd="M0 1h120v10h-120z"' in page


def test_open_page_asks_for_its_first_part_alone_and_gets_what_was_just_measured(client: FlaskClient) -> None:
    measured(State.OPERATIONAL, at=utc_now() - timedelta(minutes=1))
    with transaction():
        health.beat("here", now=utc_now())

    page, first = client.get("/platform-status?live").text, client.get("/platform-status/live")
    tag = {"HX-PTag": first.headers["HX-PTag"]}
    same = client.get("/platform-status/live", headers=tag)
    # No cache is cleared: a page that heard of the change must see it.
    with transaction():
        found = [Finding(Component.SITE, State.MAJOR, 1, "It did not answer.")]
        measurements.record(found, interval_seconds=60, now=utc_now())
    changed = client.get("/platform-status/live", headers=tag)

    assert first.text.strip() in page and 'data-polls="/platform-status/live"' in page
    assert (same.status_code, changed.status_code) == (304, 200)
    assert 'data-status="operational"' in first.text and 'data-status="major"' in changed.text
