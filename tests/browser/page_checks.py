"""Checks of the open page in a browser: axe in both color schemes, its width, its size and its requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page

from tests.browser import looks
from tests.browser.conftest import Tabs
from tests.browser.every_page import FilledPanel, fill, pages
from tests.support.servers import Panel, running_panel

# A filled panel and its pages by role.
Site = tuple[FilledPanel, dict[str, list[str]]]

NARROW = {"width": 320, "height": 640}
# Size of a page with everything that it loads: uncompressed for visitors, as transferred for others.
MAX_BYTES = {"visitor": ("decodedBodySize", 40_000), "customer": ("encodedBodySize", 80_000)}
# Bytes and requests of the pages that need more; DECISIONS says why.
LARGER = {("visitor", "/api"): (62_000, 5)}
MAX_BYTES["operator"] = MAX_BYTES["customer"]
# Without push. With it a page that stays current has one more: its stream, which is empty until something changes.
MAX_REQUESTS = {"visitor": 5, "customer": 8, "operator": 8}
LOADED = """(size) => {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    // The browser doesn't always report the icon.
    const parts = all.filter((part) => !part.name.endsWith(".svg"));
    return [parts.reduce((bytes, part) => bytes + part[size], 0), parts.length + 1];
}"""
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL_RULES = {"runOnly": WCAG, "rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
AXE = Axe().axe_script
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}

_kept: dict[str, Site] = {}


@contextmanager
def separate_panel(folder: Path) -> Iterator[Panel]:
    """A panel of its own for one file, so that the size of its lists doesn't depend on other tests."""
    with running_panel(folder, PANEL_WORKER="false", PANEL_PRETEND_CARD="true") as panel:
        yield panel


def filled_site(app: Flask, panel: Panel) -> Site:
    """The filled panel and its pages, found once."""
    if panel.url not in _kept:
        filled = fill(app)
        _kept[panel.url] = filled, pages(app, panel, filled)
    return _kept[panel.url]


def wrong_on_each(tabs: Tabs, panel: Panel, site: Site, role: str) -> list[str]:
    """What is wrong with any page of this role. Each is opened once for all that is measured on it."""
    filled, found = site
    page = tab_of(tabs, panel, filled, role, may_be_refused=role == "visitor")
    wrong: list[str] = []
    for path in found[role]:
        page.goto(path)
        wrong += problems(page, path, role) + looks.faults(page, path)
    return wrong


def tab_of(tabs: Tabs, panel: Panel, filled: FilledPanel, role: str, *, may_be_refused: bool = True) -> Page:
    """A narrow page of this user."""
    tab = tabs.open(viewport=NARROW, color_scheme="light")
    tab.complaints.expects_failed_answers = may_be_refused
    if role in filled.cookies:
        tab.page.context.add_cookies([{"name": "session", "value": filled.cookies[role], "url": panel.url}])
    return tab.page


def problems(page: Page, path: str, role: str) -> list[str]:
    """Problems of the open page, which has light colors before and after."""
    size, most = MAX_BYTES[role]
    loaded, requests = page.evaluate(LOADED, size)
    most, most_requests = LARGER.get((role, path), (most, MAX_REQUESTS[role]))
    large = [f"{path}: {loaded} bytes"] if loaded > most else []
    many = [f"{path}: {requests} requests"] if requests > most_requests else []
    width = page.evaluate("document.documentElement.scrollWidth")
    wide = [f"{path}: {width} px wide"] if width > NARROW["width"] else []
    page.evaluate(AXE)
    light = _violations(page, ALL_RULES)
    page.emulate_media(color_scheme="dark")
    dark = _violations(page, COLORS)
    page.emulate_media(color_scheme="light")
    return wide + large + many + [f"{path}: {each}" for each in light + dark]


def _violations(page: Page, options: dict[str, object]) -> list[str]:
    found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [f"{each['id']} at {' '.join(map(str, each['nodes'][0]['target']))}" for each in found]
