"""Accent color from the office: checked for contrast in both schemes, and in the stylesheet of every page."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.application import create_app
from panel.db import db
from panel.models import AuditLogEntry, StoredSetting
from tests.support.page_text import text_of

PAGE = "/office/settings/appearance"
GREEN, MINT = "#0a5c36", "#7fd1a8"


def save(office: FlaskClient, light: str, dark: str) -> tuple[int, str]:
    seen = re.search(r'name="seen" value="([^"]*)"', office.get(PAGE).text)
    assert seen is not None
    answer = office.post(PAGE, data={"light": light, "dark": dark, "seen": seen[1]})
    return answer.status_code, text_of(answer.text)


def stylesheet(browser: FlaskClient, page: str = "/") -> str:
    """The address of the page's first stylesheet."""
    found = re.search(r'<link rel="stylesheet" href="([^"]+)"', browser.get(page).text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def stored() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(StoredSetting.value).where(StoredSetting.name == "accent")))


def test_colors_are_in_the_stylesheet_of_every_page_and_process(app: Flask, office: FlaskClient) -> None:
    visitor, other = app.test_client(), create_app(app.config["PANEL"]).test_client()
    plain = stylesheet(visitor)

    status, _page = save(office, "#0A5C36", MINT)
    address = stylesheet(visitor)

    assert status == 303
    assert (
        address == f"{plain}?accent=0a5c36-7fd1a8" == stylesheet(other, "/forgot-password") == stylesheet(office, PAGE)
    )
    # Any process makes it from its address alone.
    styles = [browser.get(address) for browser in (visitor, other)]
    assert styles[0].data == styles[1].data
    assert styles[0].text.endswith(
        "@layer tokens{:root{--act:light-dark(#0a5c36,#7fd1a8);--link:light-dark(#0a5c36,#7fd1a8);}}"
    )
    assert styles[0].text.startswith(visitor.get(plain).text)
    assert "immutable" in styles[0].headers["Cache-Control"]
    assert "--act:light-dark(" in visitor.get(plain).text.replace(" ", "")


def test_one_color_leaves_the_other_scheme_as_it_is_and_none_returns_to_the_default(office: FlaskClient) -> None:
    plain = stylesheet(office)
    save(office, GREEN, "")
    one = stylesheet(office)
    text = office.get(one).text

    save(office, "", "")

    assert one == f"{plain}?accent=0a5c36-"
    assert re.search(r"--act:light-dark\(#0a5c36,#[0-9a-f]{6}\);--link:light-dark\(#0a5c36,#[0-9a-f]{6}\);}}$", text)
    assert (stylesheet(office), stored()) == (plain, [])
    db.session.rollback()
    log = select(AuditLogEntry.detail).where(AuditLogEntry.subject == "setting accent").order_by(AuditLogEntry.id)
    assert list(db.session.scalars(log)) == ["Light #0a5c36, dark default.", "Light default, dark default."]


@pytest.mark.parametrize(
    ("light", "dark", "scheme"), [("#3b82f6", "", "light"), ("", GREEN, "dark"), ("#ffffff", MINT, "light")]
)
def test_color_with_too_little_contrast_is_refused_and_the_one_named_instead_is_taken(
    office: FlaskClient, light: str, dark: str, scheme: str
) -> None:
    status, page = save(office, light, dark)

    message = re.search(rf"(#\w{{6}}) can’t be read well in the {scheme} scheme: its contrast is [1-4]\.\d:1", page)
    right = re.search(r"it needs 4\.5:1\. The nearest that is right is (#[0-9a-f]{6})\.", page)
    assert (status, stored()) == (422, [])
    assert message is not None and right is not None and message[1] in (light, dark)
    given = {"light": light, "dark": dark, scheme: right[1]}
    assert save(office, given["light"], given["dark"])[0] == 303


@pytest.mark.parametrize("typed", ["red", "#12345", "0a5c36", "#0a5c36;}", "url(x)", '#"><b>'])
def test_what_is_no_color_changes_nothing(office: FlaskClient, typed: str) -> None:
    status, page = save(office, typed, "")

    assert (status, stored()) == (422, [])
    assert "Enter a color as # and six digits" in page


@pytest.mark.parametrize("query", ["accent=red-", "accent=0a5c36", "accent=0a5c36-7fd1a8}*{display:none", "x=1"])
def test_stylesheet_takes_colors_alone_from_its_address(client: FlaskClient, query: str) -> None:
    plain = stylesheet(client)

    assert client.get(f"{plain}?{query}").data == client.get(plain).data


def test_form_that_somebody_changed_since_is_refused(office: FlaskClient) -> None:
    save(office, GREEN, MINT)

    late = office.post(PAGE, data={"light": "", "dark": "", "seen": "-"})

    assert (late.status_code, stored()) == (409, ["0a5c36-7fd1a8"])
