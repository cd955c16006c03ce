"""How amounts are written: one setting, followed by pages, emails and feeds; programs and files keep plain numbers."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.application import create_app
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import AuditLogEntry, Mail
from panel.services.money import deposits
from panel.services.stored_settings import changes
from panel.services.stored_settings.registry import SettingGroup
from tests.rules.source import ROOT
from tests.support.factories import a_customer, a_tool, an_order, logged_in
from tests.support.page_text import text_of

SIGN, NO_BREAK = re.compile(r"(?<!US)\$\s?\d"), "\N{NO-BREAK SPACE}"


def write_as(display: str) -> None:
    with transaction():
        seen = changes.form_version(SettingGroup.SITE)
        changes.change(SettingGroup.SITE, {"currency_display": display}, seen=seen, actor="anna", now=utc_now())


@pytest.mark.parametrize(("display", "written"), [("code", f"12.35{NO_BREAK}USD"), ("country-sign", "US$12.35")])
def test_every_page_follows_and_cached_rows_do_too(app: Flask, display: str, written: str) -> None:
    customer = a_customer("12.35")
    tool = a_tool()
    order = an_order(customer=customer, tool=tool, status=Status.PARTIAL)
    pages = ("/orders", "/balance", "/balance/statement", f"/orders/{order.id}", f"/orders/{order.id}/receipt")
    pages = (*pages, "/orders/new", "/balance/add", "/tools", f"/tools/{tool.slug}", "/updates", "/", "/faq")
    browser = logged_in(app.test_client(), customer)
    other = create_app(app.config["PANEL"]).test_client()
    for page in pages:
        assert SIGN.search(text_of(browser.get(page).text)), page
    before = other.get("/tools").text

    write_as(display)

    for page in pages:
        html = browser.get(page).text
        assert not SIGN.search(text_of(html)), page
        assert "US$" in html or "USD" in html, page
    # The other process had the page in its cache.
    assert SIGN.search(text_of(before)) and not SIGN.search(text_of(other.get("/tools").text))
    write_as("sign")
    assert SIGN.search(text_of(browser.get("/orders").text))


def test_email_and_feed_follow_and_figures_for_programs_stay_plain(app: Flask) -> None:
    customer = a_customer("12.35")
    an_order(customer=customer, status=Status.PARTIAL)
    write_as("code")
    # A process that answers no request follows within a second.
    browser = logged_in(app.test_client(), customer)
    browser.get("/orders")

    with transaction():
        asked = deposits.request_deposit(customer.id, amount_nanos=25 * 10**9, now=utc_now())
        deposits.confirm(asked.reference, amount_nanos=25 * 10**9, note="Arrived.", now=utc_now())
    text = db.session.scalars(select(Mail.text).where(Mail.kind == "deposit")).one()

    assert "25.00 USD was added to your balance." in text
    assert not SIGN.search(browser.get("/updates.atom").text)
    page = browser.get("/balance").text
    assert re.search(rf'value="[0-9.]+"[^>]*>[0-9.,]+{NO_BREAK}USD<', page)
    assert NO_BREAK not in browser.get("/orders.csv").text and "$" not in browser.get("/orders.csv").text


def test_amounts_in_a_column_keep_their_places(app: Flask) -> None:
    customer = a_customer("12.35")
    an_order(customer=customer, status=Status.PARTIAL)
    browser = logged_in(app.test_client(), customer)
    before = re.findall(r'data-places="(\d+)"', browser.get("/orders").text)

    write_as("code")

    assert before and re.findall(r'data-places="(\d+)"', browser.get("/orders").text) == before


def test_form_offers_three_ways_and_logs_the_change(office: FlaskClient) -> None:
    page = office.get("/office/settings/site").text
    seen = re.search(r'name="seen" value="([^"]*)"', page)
    assert seen is not None
    for example in ("$12.30", "US$12.30", f"12.30{NO_BREAK}USD"):
        assert f">{example}</option>" in page

    kept = {"site_name": "SmmPanelUS", "seen": seen[1]}
    wrong = office.post("/office/settings/site", data=kept | {"currency_display": "euro"})
    saved = office.post("/office/settings/site", data=kept | {"currency_display": "code"})

    assert wrong.status_code == 422 and "Amounts are written: choose one of the three." in text_of(wrong.text)
    assert saved.status_code == 303
    line = db.session.scalars(select(AuditLogEntry).where(AuditLogEntry.subject == "setting currency_display")).one()
    assert line.detail == f"From “$12.30” to “12.30{NO_BREAK}USD”."
    assert f"12.30{NO_BREAK}USD" in office.get("/office/settings").text


def test_amounts_become_text_in_one_place() -> None:
    allowed = {f"panel/{name}.py" for name in ("app_context", "domain/money", "domain/payment", "services/help/facts")}
    users = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "panel").rglob("*.py")
        if re.search(r"money\.shown(_price)?\(|money import [^\n]*\bshown", file.read_text())
    }

    assert users <= allowed
