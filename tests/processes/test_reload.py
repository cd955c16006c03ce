"""`python app.py --reload`: edits show on the next request."""

import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from panel.settings import ROOT
from tests.support import servers
from tests.support.servers import Panel
from tests.support.waiting import until

COPIED = ("panel", "templates", "static", "content")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """The product, running from a copy of its source that these tests edit."""
    source = tmp_path_factory.mktemp("source")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "app.py", source / "app.py")
    panel = servers.a_panel(source / "instance", "--reload", PANEL_WORKER="false")
    panel.root = source
    try:
        panel.start()
        yield panel
    finally:
        panel.stop()


def edit(site: Panel, path: str, before: str, after: str) -> None:
    file = site.root / path
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def get(site: Panel, path: str) -> str:
    with urllib.request.urlopen(f"{site.url}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def asset(site: Panel, pattern: str, page: str) -> str:
    found = re.search(pattern, get(site, page))
    assert found
    return get(site, found[0])


def test_edited_template_shows_on_the_next_request(site: Panel) -> None:
    get(site, "/faq")

    edit(site, "templates/base.html", "</body>", "<p>Edited template</p></body>")

    assert "Edited template" in get(site, "/faq")


def test_edited_stylesheet_shows_on_the_next_request(site: Panel) -> None:
    get(site, "/faq")

    edit(site, "static/css/base.css", "  html {", "  html { --edited: 1;")

    assert "--edited:1" in asset(site, r"/static/site-\w+\.css", "/faq")


def test_edited_script_shows_on_the_next_request(site: Panel) -> None:
    get(site, "/log-in")
    script = site.root / "static" / "js" / "site.js"

    script.write_text(f"const editedScript = true;\n{script.read_text()}")

    assert "editedScript" in asset(site, r"/static/site-\w+\.js", "/log-in")


def test_edited_content_shows_on_the_next_request(site: Panel) -> None:
    get(site, "/privacy")

    edit(site, "content/guides/privacy.md", 'heading: "', 'heading: "Edited ')

    assert "Edited" in get(site, "/privacy")


def test_content_with_an_error_keeps_the_site_up(site: Panel) -> None:
    text = (site.root / "content" / "guides" / "privacy.md").read_text()

    edit(site, "content/guides/privacy.md", "title:", "titel:")

    assert "<h1" in get(site, "/privacy")
    assert "Wrong content content/guides/privacy.md" in site.log
    (site.root / "content" / "guides" / "privacy.md").write_text(text)


def test_stylesheet_with_an_error_keeps_the_site_up(site: Panel) -> None:
    text = (site.root / "static" / "css" / "base.css").read_text()

    edit(site, "static/css/base.css", "  html {", "  :is() html { }} {")

    assert "<h1" in get(site, "/privacy")
    assert "Wrong stylesheet base.css" in site.log
    (site.root / "static" / "css" / "base.css").write_text(text)


def test_edited_python_restarts_the_web_process(site: Panel) -> None:
    edit(site, "panel/blueprints/shared/navigation.py", '"Order statuses"', '"Edited link"')

    def is_shown() -> bool:
        # No process answers during the restart.
        with suppress(OSError):
            return "Edited link" in get(site, "/faq")
        return False

    assert until(is_shown), site.log


def test_production_refuses_the_reloader(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "app.py", "--reload"],
        cwd=ROOT,
        env={"PANEL_ENV": "production", "PANEL_SECRET_KEY": "k" * 32, "PANEL_BASE_URL": "https://panel.example"}
        | {"PANEL_INSTANCE": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr == "--reload is refused with PANEL_ENV=production.\n"


def test_developers_are_shown_the_gallery_of_components(site: Panel) -> None:
    assert "Every component in every state" in get(site, "/styles")
