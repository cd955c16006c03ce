"""Legal texts and payment instructions from the office: shown, checked, previewed, logged, and given back."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel import app_context
from panel.application import create_app
from panel.blueprints.shared import help_texts
from panel.clock import utc_now
from panel.db import db
from panel.domain import formatting
from panel.models import AuditLogEntry, StoredSetting
from panel.services.help import own_texts
from panel.services.help.facts import facts_for_prose
from panel.services.stored_settings.texts import EditableText
from tests.support import databases
from tests.support.factories import a_customer, an_operator, logged_in
from tests.support.page_text import text_of

TERMS = "/office/settings/texts/terms-of-service"
REFUNDS = "/office/settings/texts/refund-policy"
PAYMENT = "/office/settings/texts/payment-instructions"
# The FAQ links to this section.
GOES = "\n\n## Where a refund goes\n\nTo your balance."
OWN = "{{ site_name }} is run by us.\r\n\r\n## What we do\r\n\r\nWe **deliver**. See the [FAQ](/faq).\r\n"


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="(\w*)"', page)
    assert found is not None
    return found[1]


def save(office: FlaskClient, address: str, text: str, **more: str) -> tuple[int, str]:
    answer = office.post(address, data={"text": text, "seen": seen(office.get(address).text), **more})
    return answer.status_code, answer.text


def stored() -> dict[str, str]:
    db.session.rollback()
    return {row.name: row.value for row in db.session.scalars(select(StoredSetting))}


def details(subject: str) -> list[str]:
    db.session.rollback()
    lines = select(AuditLogEntry.detail).where(AuditLogEntry.subject == subject).order_by(AuditLogEntry.id)
    return list(db.session.scalars(lines))


@pytest.mark.both_engines
def test_own_terms_show_in_every_process_with_their_day_and_go_back_to_the_default(
    app: Flask, client: FlaskClient
) -> None:
    office = logged_in(client, an_operator())
    other_app = create_app(app.config["PANEL"])
    other = other_app.test_client()
    default = text_of(other.get("/terms-of-service").text)

    saved, _page = save(office, TERMS, OWN)
    own = other.get("/terms-of-service").text
    overview = text_of(office.get("/office/settings").text)
    restored = office.post(f"{TERMS}/default")
    back = text_of(other.get("/terms-of-service").text)
    again = office.post(f"{TERMS}/default")

    assert (saved, restored.status_code, again.status_code) == (303, 303, 409)
    assert "SmmPanelUS is run by us." in text_of(own) and "<strong>deliver</strong>" in own
    assert 'id="what-we-do"' in own and '<a href="/faq">FAQ</a>' in own
    assert f"Last updated {formatting.day(utc_now())}" in text_of(own)
    assert "Terms of service Your own text Changed by" in overview
    assert back == default and "is run by us" not in default
    plain = OWN.replace("\r\n", "\n").strip()
    assert details("setting terms-of-service") == [plain, "Back to the default text."]
    databases.close(other_app)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Write the text"),
        (" \r\n ", "Write the text"),
        ("x" * 30_001, "at most 30,000 characters"),
        ("{{ unheard }} is here.", "unknown fact 'unheard'"),
        ("See [us](https://example.com).", "the link https://example.com leaves the site"),
        ("See [us](//example.com).", "leaves the site"),
        ("See [us](/nowhere).", "the link /nowhere leads nowhere"),
        ("See [us](/faq#nothing).", "the link /faq#nothing leads nowhere"),
        ("A picture: ![x](/faq)", "an image; texts have none"),
        ("Text.\n\n# Heading\n\nText.", "Begin headings with ##"),
        ("## Heading\n\nText.", "Begin with a sentence"),
        ("Text.\n\n## 你好\n\nText.", "a word in Latin letters"),
    ],
)
def test_wrong_text_changes_nothing_and_says_why(office: FlaskClient, text: str, why: str) -> None:
    status, page = save(office, TERMS, text)

    assert (status, stored(), details("setting terms-of-service")) == (422, {}, [])
    assert "Nothing was changed" in text_of(page) and why in text_of(page).replace("&#39;", "'")


def test_section_that_other_pages_link_to_must_stay(office: FlaskClient) -> None:
    status, page = save(office, REFUNDS, "Only this.")

    assert status == 422
    assert "Keep the section “Where a refund goes”: other help pages link to it." in text_of(page)


def test_markup_in_a_text_is_shown_as_text(office: FlaskClient) -> None:
    hostile = 'Hello <script>alert(1)</script> <img src=x onerror="alert(2)"> [x](javascript:alert)' + GOES

    status, preview = save(office, REFUNDS, hostile, preview="yes")
    save(office, REFUNDS, hostile)
    shown = office.get("/refund-policy").text

    assert status == 200
    for page in (preview, shown):
        assert "<script>alert" not in page and "<img src=x" not in page and 'href="javascript' not in page
        assert "&lt;script&gt;alert(1)" in page


def test_preview_shows_the_text_and_saves_nothing(office: FlaskClient) -> None:
    status, page = save(office, TERMS, OWN, preview="yes")

    assert (status, stored()) == (200, {})
    assert "Nothing is saved yet. SmmPanelUS is run by us. What we do We deliver" in text_of(page)
    assert "## What we do" in page


def test_text_that_somebody_changed_since_is_not_overwritten(office: FlaskClient) -> None:
    first = seen(office.get(TERMS).text)
    save(office, TERMS, "The first.")

    late = office.post(TERMS, data={"text": "The second.", "seen": first})
    same, _page = save(office, TERMS, "The first.")

    assert late.status_code == 409 and "The second." in late.text
    assert (stored(), same) == ({"terms-of-service": "The first."}, 303)
    assert details("setting terms-of-service") == ["The first."]


def test_payment_instructions_show_where_customers_pay(office: FlaskClient, app: Flask) -> None:
    (app.config["PANEL"].instance / "payment.txt").write_text("# Cash\nCome by.")
    from_file = office.get(PAYMENT).text

    status, preview = save(office, PAYMENT, "# Bank <transfer>\r\nTo us.\r\n\r\nThanks.", preview="yes")
    save(office, PAYMENT, "# Bank <transfer>\r\nTo us.\r\n\r\nThanks.")
    visitor = app.test_client()
    home = visitor.get("/").text
    logged_in(office, a_customer())
    add = office.get("/balance/add").text

    assert "# Cash\nCome by.</textarea>" in from_file.replace("\r\n", "\n")
    assert status == 200 and "Bank &lt;transfer&gt;" in preview
    assert "Bank &lt;transfer&gt;" in home and "Cash" not in home
    assert "Bank &lt;transfer&gt;" in add and "Come by" not in add


def test_own_text_that_can_no_longer_be_rendered_leaves_the_default(app: Flask) -> None:
    facts = facts_for_prose(app_context.settings())
    content = help_texts.texts()

    placed = own_texts.placed_in(content, (("{{ gone }}", utc_now().date()), None), facts=facts)

    assert placed.guides["terms-of-service"] is content.guides["terms-of-service"]


def test_every_guide_that_can_be_replaced_exists_and_passes_its_own_check(office: FlaskClient) -> None:
    for name in EditableText:
        if name.is_guide:
            page = f"/office/settings/texts/{name}"
            text = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", office.get(page).text, re.DOTALL)
            assert text is not None
            plain = text[1].replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&")
            assert save(office, page, plain, preview="yes")[0] == 200


def test_unknown_text_is_404(office: FlaskClient) -> None:
    assert office.get("/office/settings/texts/privacy").status_code == 404
    assert office.post("/office/settings/texts/privacy").status_code == 404
    assert office.post("/office/settings/texts/privacy/default").status_code == 404
