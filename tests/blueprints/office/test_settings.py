"""Settings changed in the office: every process follows, the environment wins, and a wrong value changes nothing."""

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from panel import app_context
from panel.application import create_app
from panel.blueprints.office.layout import limits
from panel.clock import utc_now
from panel.db import db, transaction
from panel.db.read_only import Rows, reader
from panel.domain.errors import BadInput, StaleForm
from panel.jobs.provider_calls import panel_settings
from panel.models import Attempt, AttemptState, AuditLogEntry, StoredSetting
from panel.providers.mail import OutgoingMail, message
from panel.services.stored_settings import changes, live
from panel.services.stored_settings.registry import SETTINGS, SettingGroup
from tests.support import databases
from tests.support.factories import NOON, a_customer, an_order, logged_in
from tests.support.page_text import text_of

SITE = "/office/settings/site"
TIMES = "/office/settings/times"


def change(group: SettingGroup = SettingGroup.SITE, **typed: str) -> list[str]:
    """Save these values, and leave the other settings of the group as they are."""
    values = {row.setting.name: row.text for row in changes.rows(group)}
    with transaction():
        return changes.change(group, values | typed, seen=changes.form_version(group), actor="anna", now=NOON)


def stored() -> dict[str, str]:
    db.session.rollback()
    return {row.name: row.value for row in db.session.scalars(select(StoredSetting))}


def entries() -> list[tuple[str, str]]:
    db.session.rollback()
    lines = select(AuditLogEntry.subject, AuditLogEntry.detail).where(AuditLogEntry.action == "settings change")
    return [(subject, detail) for subject, detail in db.session.execute(lines.order_by(AuditLogEntry.id))]


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]* value="([^"]*)"', page)
    assert found is not None
    return found[1]


@pytest.mark.both_engines
def test_every_process_has_a_change_with_its_next_page(app: Flask, client: FlaskClient) -> None:
    logged_in(client, a_customer())
    cookie = client.get_cookie("session")
    assert cookie is not None
    # The first app saves. These two are as other processes, and have pages in their caches.
    apps = [create_app(app.config["PANEL"]) for _ in range(2)]
    other, mine = (each.test_client() for each in apps)
    mine.set_cookie("session", cookie.value)
    pages = [(other, "/"), (other, "/terms-of-service"), (other, "/contact"), (mine, "/orders"), (mine, "/contact")]
    for _ in range(2):
        assert [path for browser, path in pages if "Northern Reach" in browser.get(path).text] == []

    change(site_name="Northern Reach", company_name="Reach LLC", contact_email="hello@example.com")

    assert [path for browser, path in pages if "| Northern Reach</title>" not in browser.get(path).text] == []
    assert "Northern Reach sells promotion" in text_of(other.get("/terms-of-service").text)
    contact = text_of(other.get("/contact").text)
    assert "Company Reach LLC" in contact and "Email hello@example.com" in contact
    for each in apps:
        databases.close(each)


def test_page_without_a_cache_follows_within_the_second(app: Flask) -> None:
    now = [1000.0]
    other = create_app(app.config["PANEL"])
    read = reader(db.engine, live.READ, is_rare=True)
    other.extensions[app_context.LIVE_SETTINGS] = live.LiveSettings(read, clock=lambda: now[0])
    browser = other.test_client()
    browser.get("/forgot-password")
    change(site_name="Northern Reach")

    before = browser.get("/forgot-password").text
    now[0] += live.MAX_AGE_SECONDS
    after = browser.get("/forgot-password").text

    assert "Northern Reach" not in before
    assert "Northern Reach" in after


@pytest.mark.both_engines
def test_reading_them_in_a_transaction_takes_no_connection_of_the_pool(app: Flask) -> None:
    found = live.LiveSettings(reader(db.engine, live.READ, is_rare=True))
    change(site_name="Northern Reach")
    taken: list[object] = []

    with transaction():
        db.session.execute(select(StoredSetting)).all()
        event.listen(db.engine, "checkout", lambda *given: taken.append(given))
        name = found.over(app.config["PANEL"]).site_name

    assert (name, taken) == ("Northern Reach", [])


def test_last_values_hold_while_the_database_cannot_be_read(app: Flask) -> None:
    now = [1000.0]
    readings: list[Rows | None] = [
        [(1, "site_name", "Northern Reach", "2026-11-28 11:00:00")],
        None,
        [(2, *[None] * 3)],
    ]
    found = live.LiveSettings(lambda _values: readings.pop(0), clock=lambda: now[0])
    names = []

    for _ in range(3):
        names.append(found.over(app.config["PANEL"]).site_name)
        now[0] += live.MAX_AGE_SECONDS

    assert names == ["Northern Reach", "Northern Reach", "SmmPanelUS"]


def test_environment_wins_and_the_page_says_so(app: Flask, office: FlaskClient) -> None:
    change(site_name="Northern Reach", company_name="Reach LLC")
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"site_name": "From Outside", "company_name": ""})

    form = office.get(SITE).text
    office.post(SITE, data={"site_name": "Other", "company_name": "Reach Inc.", "seen": field(form, "seen")})

    assert app_context.settings().site_name == "From Outside"
    assert "Site name From Outside Set by PANEL_SITE_NAME in the environment" in text_of(form)
    assert 'name="site_name"' not in form
    # Empty in the environment is the same as not set there.
    assert field(form, "company_name") == "Reach LLC"
    assert stored() == {"site_name": "Northern Reach", "company_name": "Reach Inc."}


def test_form_shows_saves_and_logs_each_change_and_returns_to_defaults(office: FlaskClient) -> None:
    first = office.get(SITE).text
    given = {"site_name": " Northern Reach ", "support_email": "Help@Example.com", "seen": field(first, "seen")}
    saved = office.post(SITE, data=given)
    overview = text_of(office.get(saved.location).text)
    second = office.get(SITE).text
    office.post(SITE, data={"support_email": "help@example.com", "seen": field(second, "seen")})
    third = office.get(SITE).text
    nothing = office.post(SITE, data={"support_email": "help@example.com", "seen": field(third, "seen")})

    assert saved.status_code == 303
    assert "Saved: Site name, Support email." in overview
    assert re.search(r"Site name Northern Reach Changed by \S+, \d{4}-\d\d-\d\d \d\d:\d\d", overview)
    assert (field(first, "site_name"), field(second, "site_name")) == ("SmmPanelUS", "Northern Reach")
    assert "Leave it empty for the default, SmmPanelUS." in text_of(first)
    assert nothing.status_code == 303
    assert stored() == {"support_email": "help@example.com"}
    assert entries() == [
        ("setting site_name", "From “SmmPanelUS” to “Northern Reach”."),
        ("setting support_email", "From empty to “help@example.com”."),
        ("setting site_name", "From “Northern Reach” to “SmmPanelUS”."),
    ]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("site_name", "x" * 41),
        ("site_name", "two\nlines"),
        ("site_name", "![x](/a.png)"),
        ("site_name", "\u202egnp.exe"),
        ("company_name", "x" * 201),
        ("company_address", "1 Main Street\tSpringfield"),
        ("contact_email", "nobody"),
        ("contact_email", "a@b.example, c@d.example"),
        ("support_email", "Ada <ada@example.com>"),
        ("support_email", "a b@example.com"),
        ("sync_seconds", "0"),
        ("sync_seconds", "3601"),
        ("sync_seconds", "1.5"),
        ("sync_seconds", "soon"),
        ("stuck_hours", "0"),
        ("stuck_hours", "nan"),
        ("unconfirmed_hours", "-1"),
        ("unconfirmed_hours", "9999"),
    ],
)
def test_wrong_value_changes_nothing_and_says_why(office: FlaskClient, name: str, typed: str) -> None:
    values = {"company_name": "Reach LLC", "company_address": "1 Main Street", "sync_seconds": "5", name: typed}
    form = f"/office/settings/{SETTINGS[name].group}"

    refused = office.post(form, data=values | {"seen": field(office.get(form).text, "seen")})

    assert refused.status_code == 422
    setting = SETTINGS[name]
    assert f"Nothing was changed {setting.label}: {setting.right}" in text_of(refused.text)
    assert 'value="1 Main Street' in refused.text or field(refused.text, "sync_seconds") == values["sync_seconds"]
    assert (stored(), entries()) == ({}, [])


@pytest.mark.both_engines
def test_change_of_a_form_that_somebody_else_changed_meanwhile_is_refused(app: Flask) -> None:
    seen = changes.form_version(SettingGroup.SITE)
    change(site_name="Northern Reach")

    with pytest.raises(StaleForm, match="Somebody changed these settings"), transaction():
        changes.change(SettingGroup.SITE, {"site_name": "Other"}, seen=seen, actor="bob", now=NOON)

    assert stored() == {"site_name": "Northern Reach"}


def test_each_setting_says_what_is_right_and_takes_its_own_default(app: Flask) -> None:
    for setting in SETTINGS.values():
        with pytest.raises(BadInput, match=re.escape(setting.right)) as refused:
            setting.parse("\x07")
        assert refused.value.field == setting.name
        assert setting.right.endswith(".")
        assert setting.read(str(setting.default)) == setting.default


def test_texts_stay_as_they_were_where_a_name_would_break_them(app: Flask, client: FlaskClient) -> None:
    """The form takes no such name; a database may still have one."""
    with app.app_context():
        before = client.get("/faq").text
        settings = app.config["PANEL"]
        app.config["PANEL"] = settings.model_copy(update={"site_name": "![x](/a.png)"})

        assert client.get("/faq").status_code == 200
        assert client.get("/faq?fresh").status_code == 200
        assert "Where did the money" in before


def test_unreadable_stored_value_leaves_the_default(app: Flask) -> None:
    start = app.config["PANEL"]

    merged = live.merge(start, {"site_name": "x" * 41, "company_name": "Reach LLC", "port": "1", "gone": "x"})

    assert merged == start.model_copy(update={"company_name": "Reach LLC"})


def test_emails_use_the_changed_names(app: Flask) -> None:
    change(site_name="Nörthern “Reach”, Inc.", support_email="help@bücher.example")
    app.extensions[app_context.LIVE_SETTINGS].follow(-2)
    mail = OutgoingMail("key", "ada@example.com", "Hello", "Text", "", utc_now())

    made = message(mail, settings=app_context.settings())

    assert made["From"].addresses[0].display_name == "Nörthern “Reach”, Inc."
    assert made["From"].addresses[0].addr_spec == "help@xn--bcher-kva.example"
    assert made["Reply-To"] == "help@xn--bcher-kva.example"


def test_times_of_orders_change_in_the_worker_the_help_and_the_office(app: Flask, office: FlaskClient) -> None:
    form = office.get(TIMES).text
    given = {"sync_seconds": "7", "stuck_hours": "1.5", "unconfirmed_hours": "90", "seen": field(form, "seen")}

    saved = office.post(TIMES, data=given)

    overview = text_of(office.get(saved.location).text)
    assert "Status checks every 7 seconds" in overview and "canceled after 90 hours" in overview
    assert "Status checks every (seconds)" in text_of(form) and field(form, "stuck_hours") == "24"
    settings = panel_settings()
    assert (settings.sync_seconds, settings.stuck_hours, settings.unconfirmed_hours) == (7, 1.5, 90)
    assert (limits().stuck_hours, limits().unconfirmed_hours) == (1.5, 90)
    assert "every 7 seconds" in text_of(office.get("/how-we-work").text)
    assert "is still open after 90 hours" in text_of(office.get("/how-we-work").text)
    assert stored() == {"sync_seconds": "7", "stuck_hours": "1.5", "unconfirmed_hours": "90"}


def test_shorter_time_that_cancels_orders_shows_them_first(app: Flask, office: FlaskClient) -> None:
    order, at = an_order(quantity=1_000, price="1.50", now=utc_now() - timedelta(hours=20)), utc_now()
    sent = {"order_id": order.id, "provider_id": order.provider_id, "at": at - timedelta(hours=20)}
    with transaction():
        db.session.add(Attempt(kind="add", state=AttemptState.UNKNOWN, lease_until=at, answered_at=at, **sent))
    given = {"sync_seconds": "10", "stuck_hours": "24", "seen": field(office.get(TIMES).text, "seen")}

    harmless = office.post(TIMES, data=given | {"unconfirmed_hours": "21"})
    given["seen"] = field(office.get(TIMES).text, "seen")
    asked = office.post(TIMES, data=given | {"unconfirmed_hours": "19"})
    before = stored()
    done = office.post(TIMES, data=given | {"unconfirmed_hours": "19", "confirmed": "yes"})

    assert (harmless.status_code, asked.status_code, done.status_code) == (303, 200, 303)
    assert "Orders canceled 1 Returned to customers $1.50" in text_of(asked.text)
    assert (before["unconfirmed_hours"], stored()["unconfirmed_hours"]) == ("21", "19")


def test_unknown_group_is_404(office: FlaskClient) -> None:
    assert office.get("/office/settings/other").status_code == 404
    assert office.post("/office/settings/other").status_code == 404
