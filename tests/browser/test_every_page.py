"""Every page in a real browser: axe finds nothing in either scheme, no page is too wide, and none is too large."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page

from tests.browser.conftest import Tabs
from tests.browser.every_page import ROLES, Filled, fill, pages
from tests.servers import Panel

NARROW = {"width": 320, "height": 640}
# Of a page and all that it loads: for visitors as it is before it is zipped, for others as it is sent.
MOST_BYTES = {"visitor": ("decodedBodySize", 40_000), "customer": ("encodedBodySize", 80_000)}
MOST_BYTES["operator"] = MOST_BYTES["customer"]
MOST_REQUESTS = {"visitor": 5, "customer": 8, "operator": 8}
LOADED = """(size) => {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    // The browser does not always tell of the icon.
    const parts = all.filter((part) => !part.name.endsWith(".svg"));
    return [parts.reduce((bytes, part) => bytes + part[size], 0), parts.length + 1];
}"""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL_RULES = {"runOnly": WCAG, "rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
AXE = Axe().axe_script
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}

_kept: dict[str, tuple[Filled, dict[str, list[str]]]] = {}


@pytest.fixture
def site(app: Flask, panel: Panel) -> tuple[Filled, dict[str, list[str]]]:
    """The filled panel and its pages, found once."""
    if panel.url not in _kept:
        filled = fill(app)
        _kept[panel.url] = filled, pages(app, panel, filled)
    return _kept[panel.url]


def test_every_address_shows_something_to_somebody(site: tuple[Filled, dict[str, list[str]]]) -> None:
    _filled, found = site

    assert found[""] == [], "say in tests/browser/every_page.py what these addresses are to show"


@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_nothing_and_nothing_is_too_wide_or_too_large(
    tabs: Tabs, panel: Panel, site: tuple[Filled, dict[str, list[str]]], role: str
) -> None:
    filled, found = site
    tab = tabs.open(viewport=NARROW, color_scheme="light")
    tab.complaints.expects_failed_answers = role == "visitor"
    if role in filled.cookies:
        tab.page.context.add_cookies([{"name": "session", "value": filled.cookies[role], "url": panel.url}])

    wrong = [problem for path in found[role] for problem in _problems(tab.page, path, role)]

    assert len(found[role]) > 8
    assert wrong == []


def _problems(page: Page, path: str, role: str) -> list[str]:
    page.emulate_media(color_scheme="light")
    page.goto(path)
    size, most = MOST_BYTES[role]
    loaded, requests = page.evaluate(LOADED, size)
    large = [f"{path}: {loaded} bytes"] if loaded > most else []
    many = [f"{path}: {requests} requests"] if requests > MOST_REQUESTS[role] else []
    width = page.evaluate("document.documentElement.scrollWidth")
    wide = [f"{path}: {width} px wide"] if width > NARROW["width"] else []
    page.evaluate(AXE)
    light = _violations(page, ALL_RULES)
    page.emulate_media(color_scheme="dark")
    return wide + large + many + [f"{path}: {each}" for each in light + _violations(page, COLORS)]


def _violations(page: Page, options: dict[str, object]) -> list[str]:
    found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [f"{each['id']} at {' '.join(map(str, each['nodes'][0]['target']))}" for each in found]
