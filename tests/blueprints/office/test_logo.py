"""Logo from the office: previewed, re-encoded, shown in every header and process, and removed."""

import base64
import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from panel.application import create_app
from panel.db import db
from panel.domain.accounts.roles import Role
from panel.models import AuditLogEntry, StoredSetting
from panel.services.stored_settings import logo
from panel.services.uploaded_images import Upload
from tests.support.factories import an_operator, logged_in
from tests.support.images import PAGE as HTML
from tests.support.images import SVG, a_bomb, a_photo, a_picture

PAGE = "/office/settings/appearance"
IMAGE = re.compile(
    r'<a class="site-bar__name" href="[^"]+">\s*<img class="site-bar__logo" src="([^"]+)" width="(\d+)" '
    r'height="(\d+)" alt="([^"]*)">'
)


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def preview(office: FlaskClient, content: bytes, name: str = "logo.png") -> TestResponse:
    boundary, body = encode_multipart(MultiDict({"logo": FileStorage(io.BytesIO(content), name)}))
    kind = f'multipart/form-data; boundary="{boundary}"'
    return office.post(f"{PAGE}/logo/preview", data=body, content_type=kind)


def save(office: FlaskClient, content: bytes) -> TestResponse:
    page = preview(office, content).text
    data = {name: field(page, name) for name in ("seen_logo", "content")}
    return office.post(f"{PAGE}/logo", data=data)


def stored() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(StoredSetting.value).where(StoredSetting.name == "logo")))


def header(browser: FlaskClient, page: str = "/") -> tuple[str, ...]:
    """Address, width, height and alternative text of the logo in the page's header; empty if it has none."""
    found = IMAGE.search(browser.get(page).text)
    return () if found is None else found.groups()


def test_preview_shows_the_file_in_both_schemes_and_stores_nothing(office: FlaskClient) -> None:
    page = preview(office, a_picture(size=(1200, 300))).text

    assert page.count('src="data:image/png;base64,') == 2
    assert 'data-scheme="light"' in page and 'data-scheme="dark"' in page
    assert 'width="160" height="40"' in page
    assert "Nothing is saved yet." in page and stored() == []


def test_logo_is_in_the_header_of_every_page_and_process_by_an_address_of_its_content(
    app: Flask, office: FlaskClient
) -> None:
    visitor, other = app.test_client(), create_app(app.config["PANEL"]).test_client()
    assert header(visitor) == () and header(other) == ()

    assert save(office, a_picture(size=(1200, 300))).status_code == 303

    address, *rest = header(visitor)
    assert rest == ["160", "40", "SmmPanelUS"]
    assert re.fullmatch(r"/logo/[0-9a-f]{16}\.png", address)
    for browser, page in ((visitor, "/log-in"), (other, "/tools"), (office, PAGE)):
        assert header(browser, page)[0] == address
    for browser in (visitor, other):
        answer = browser.get(address)
        assert (answer.status_code, answer.mimetype) == (200, "image/png")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert len(answer.data) <= 8 * 1024


def test_process_that_has_not_heard_of_a_logo_serves_it(app: Flask, office: FlaskClient) -> None:
    other = create_app(app.config["PANEL"]).test_client()
    other.get("/")

    save(office, a_picture())

    assert other.get(header(office, PAGE)[0]).status_code == 200
    assert other.get("/logo/0123456789abcdef.png").status_code == 404


def test_another_logo_has_another_address_and_the_first_one_ends(office: FlaskClient) -> None:
    save(office, a_picture())
    first = header(office, PAGE)[0]

    save(office, a_picture(size=(100, 40)))

    assert header(office, PAGE)[0] != first
    assert office.get(first).status_code == 404


def test_removed_logo_gives_the_name_back_and_both_changes_are_in_the_audit_log(
    app: Flask, office: FlaskClient
) -> None:
    save(office, a_picture())
    page = office.get(PAGE).text

    office.post(f"{PAGE}/logo/removal", data={"seen_logo": field(page, "seen_logo")})

    assert stored() == [] and header(app.test_client()) == ()
    lines = db.session.scalars(
        select(AuditLogEntry).where(AuditLogEntry.subject == "setting logo").order_by(AuditLogEntry.id)
    ).all()
    assert [line.detail.split(" ")[0] for line in lines] == ["A", "Removed"]
    assert "of 53 × 40 pixels" in lines[0].detail


def test_form_opened_before_another_change_saves_nothing(office: FlaskClient) -> None:
    page = preview(office, a_picture()).text
    data = {name: field(page, name) for name in ("seen_logo", "content")}
    save(office, a_picture(size=(100, 40)))
    before = stored()

    saved = office.post(f"{PAGE}/logo", data=data)
    removed = office.post(f"{PAGE}/logo/removal", data={"seen_logo": ""})

    assert saved.status_code == removed.status_code == 409
    assert stored() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SVG, "is an SVG, which can contain scripts. Send it as PNG, JPEG or WebP."),
        (HTML, "isn’t a PNG, JPEG or WebP image"),
        (a_picture("GIF"), "isn’t a PNG, JPEG or WebP image"),
        (a_bomb(), "has too many pixels"),
        (b"\x89PNG" + b"x" * 512 * 1024, "is larger than 512 kB"),
        (b"", "is empty"),
    ],
)
def test_harmful_file_is_refused_with_the_reason(office: FlaskClient, content: bytes, words: str) -> None:
    answer = preview(office, content)

    assert answer.status_code == 422 and f"“logo.png” {words}" in answer.text


@pytest.mark.parametrize("content", [SVG, HTML, a_photo() + b"x" * 600_000])
def test_content_of_the_second_form_is_checked_like_an_upload(office: FlaskClient, content: bytes) -> None:
    answer = office.post(f"{PAGE}/logo", data={"seen_logo": "", "content": base64.b64encode(content).decode()})

    assert answer.status_code == 422 and stored() == []
    assert office.post(f"{PAGE}/logo", data={"seen_logo": "", "content": "é"}).status_code == 422
    assert office.post(f"{PAGE}/logo/preview", data={}).status_code == 422


@pytest.mark.parametrize(
    ("size", "shown"), [((400, 80), (200, 40)), ((30, 20), (30, 20)), ((2000, 20), (200, 2)), ((10, 900), (1, 40))]
)
def test_logo_is_as_high_as_the_header_and_never_larger_than_it_is(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    found = logo.prepare(Upload("a.png", a_picture(size=size)))

    assert (found.width, found.height) == shown


def test_clear_margin_is_cut_off() -> None:
    image = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    image.paste((10, 100, 60, 255), (100, 150, 300, 200))
    out = io.BytesIO()
    image.save(out, "PNG")

    found = logo.prepare(Upload("a.png", out.getvalue()))

    assert (found.width, found.height) == (160, 40)


def test_only_owners_change_the_logo(client: FlaskClient) -> None:
    logged_in(client, an_operator(role=Role.OPERATOR))

    assert preview(client, a_picture()).status_code == 403
    assert client.post(f"{PAGE}/logo", data={"seen_logo": "", "content": "eA=="}).status_code == 403
    assert client.post(f"{PAGE}/logo/removal", data={"seen_logo": ""}).status_code == 403
