"""Component gallery at /styles: in development only, with every component."""

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import meta

from panel.blueprints.public import styles
from panel.settings import ROOT

TEMPLATES = ROOT / "templates"
COMPONENTS = sorted((TEMPLATES / "components").glob("*.*"))
WITH_MACROS = [path for path in COMPONENTS if "{% macro" in path.read_text()]
GALLERY = "".join(path.read_text() for path in sorted((TEMPLATES / "styles").glob("*.html")))


def test_gallery_is_no_page_of_the_product(client: FlaskClient) -> None:
    answer = client.get("/styles")

    assert answer.status_code == 404


def test_gallery_shows_every_status_field_and_chart(app: Flask) -> None:
    app.register_blueprint(styles.bp)

    answer = app.test_client().get("/styles")

    assert answer.status_code == 200
    shown = ('data-tone="refill"', 'aria-invalid="true"', 'class="chart"', "data-sums", 'class="contents"', "<progress")
    assert [part for part in shown if part not in answer.text] == []


def test_gallery_shows_every_file_of_components(app: Flask) -> None:
    shown = _reached(app, "styles/show.html")

    assert [path.name for path in COMPONENTS if f"components/{path.name}" not in shown] == []


@pytest.mark.parametrize("path", WITH_MACROS, ids=lambda path: path.stem)
def test_gallery_calls_every_macro(path: Path) -> None:
    text = path.read_text()
    macros = re.findall(r"{% macro ([a-z]\w*)\(", text)
    # A macro used only in its own file is part of the other macros there.
    inner = {name for name in macros if len(re.findall(rf"\b{name}\(", text)) > 1}

    assert [name for name in macros if name not in inner and f"{name}(" not in GALLERY] == []


def _reached(app: Flask, name: str) -> set[str]:
    """All templates that this one extends, includes or imports, and the frame around it, which Python renders."""
    found: set[str] = set()
    waiting = [name, "components/site_bar.html", "components/site_footer.html"]
    while waiting:
        here = waiting.pop()
        if here in found:
            continue
        found.add(here)
        source = (TEMPLATES / here).read_text()
        waiting += [each for each in meta.find_referenced_templates(app.jinja_env.parse(source)) if each]
    return found
