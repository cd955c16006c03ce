"""Share images: rendered once, named by their content, cached."""

import io
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from panel.assets import colors, share_images
from panel.assets.share_images import Picture
from panel.domain.status import Status

PARTIAL = Picture("partial", "Partial: only part was delivered", "A part was delivered.", "SmmPanelUS", Status.PARTIAL)


def picture_of(client: FlaskClient, path: str) -> str:
    found = re.search(r'<meta property="og:image" content="http://127\.0\.0\.1:8000(/[^"]+)"', client.get(path).text)
    assert found
    return found[1]


@pytest.mark.parametrize("path", ["/", "/faq", "/order-statuses/in-progress"])
def test_the_picture_of_a_page_is_there_and_may_be_kept_for_ever(client: FlaskClient, path: str) -> None:
    answer = client.get(picture_of(client, path))

    assert answer.status_code == 200 and answer.mimetype == "image/png"
    assert "immutable" in answer.headers["Cache-Control"]
    assert Image.open(io.BytesIO(answer.data)).size == (1200, 630)


def test_every_status_has_a_picture_of_its_own(client: FlaskClient) -> None:
    addresses = {picture_of(client, f"/order-statuses/{status.slug}") for status in Status}

    assert len(addresses) == len(Status)


def test_a_picture_is_rendered_once(app: Flask, client: FlaskClient) -> None:
    address = picture_of(client, "/order-statuses/partial")
    client.get(address)
    file = app.config["PANEL"].instance / "pictures" / Path(address).name
    file.write_bytes(b"as kept")

    assert client.get(address).data == b"as kept"


def test_the_name_of_an_older_picture_leads_to_the_present_one(client: FlaskClient) -> None:
    answer = client.get("/pictures/partial-0123456789abcdef.png")

    assert answer.status_code == 302 and answer.location == picture_of(client, "/order-statuses/partial")


@pytest.mark.parametrize("name", ["paused-0123.png", "partial.png", "..%2Fpanel.png", "-.png"])
def test_another_picture_is_not_found(client: FlaskClient, name: str) -> None:
    assert client.get(f"/pictures/{name}").status_code == 404


def test_a_name_changes_with_what_the_picture_shows() -> None:
    other = Picture("partial", "Partial", "A part was delivered.", "SmmPanelUS", Status.PARTIAL)

    assert PARTIAL.file_name != other.file_name


def test_a_tag_has_the_colors_of_the_tokens() -> None:
    image = Image.open(io.BytesIO(share_images.draw(PARTIAL))).convert("RGB")

    assert _is_near(image.getpixel((250, 190)), colors.tokens()[0]["partial-bg"])
    assert _is_near(image.getpixel((600, 20)), colors.tokens()[0]["page"])


def test_colors_are_those_that_css_means() -> None:
    assert colors.tokens()[0]["card"] == (255, 255, 255)
    assert all(f"{status.facts.tone}-{ground}" in colors.tokens()[0] for status in Status for ground in ("fg", "bg"))


def _is_near(seen: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(seen, tuple)
    return max(abs(here - there) for here, there in zip(seen, wanted, strict=True)) <= 6
