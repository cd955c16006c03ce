"""Every page in a real browser: axe finds nothing in either color scheme, and no page is too wide or too large.

The same for each form's response when it is sent empty, and for check pages.
"""

from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page

from tests.browser import looks
from tests.browser.conftest import Tabs
from tests.browser.every_page import ROLES, FilledPanel, fill, pages
from tests.support.factories import LINK, a_customer
from tests.support.servers import Panel, running_panel

NARROW = {"width": 320, "height": 640}
# Size of a page with everything that it loads: uncompressed for visitors, as transferred for others.
MAX_BYTES = {"visitor": ("decodedBodySize", 40_000), "customer": ("encodedBodySize", 80_000)}
# Bytes and requests of the pages that need more; DECISIONS says why.
LARGER = {("visitor", "/"): (44_000, 6), ("visitor", "/api"): (54_000, 5)}
MAX_BYTES["operator"] = MAX_BYTES["customer"]
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
# The visible fields of each POST form.
FIELDS = "input:not([type=hidden]), select, textarea"
FORMS = """(fields) => [...document.querySelectorAll("main form[method=post]")]
    .filter((form) => form.querySelector(fields)).map((form) => form.getAttribute("action"))"""
# As a browser without scripts sends it, and without its own validation.
SEND = """([action, fields, values]) => {
    const form = [...document.querySelectorAll("main form[method=post]")]
        .find((each) => each.getAttribute("action") === action);
    for (const each of form.querySelectorAll(fields)) {
        const value = values[each.name] ?? (values["*"] === undefined ? each.value : "");
        if (each.matches("[type=checkbox], [type=radio]")) each.checked = each.value === values[each.name];
        else each.value = value;
    }
    HTMLFormElement.prototype.submit.call(form);
}"""
EMPTY = {"*": ""}
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}

_kept: dict[str, tuple[FilledPanel, dict[str, list[str]]]] = {}


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """A separate panel, so that the size of its lists doesn't depend on earlier tests."""
    with running_panel(tmp_path_factory.mktemp("every-page"), PANEL_WORKER="false", PANEL_PRETEND_CARD="true") as panel:
        yield panel


@pytest.fixture
def site(app: Flask, panel: Panel) -> tuple[FilledPanel, dict[str, list[str]]]:
    """The filled panel and its pages, found once."""
    if panel.url not in _kept:
        filled = fill(app)
        _kept[panel.url] = filled, pages(app, panel, filled)
    return _kept[panel.url]


def test_every_address_shows_something_to_somebody(site: tuple[FilledPanel, dict[str, list[str]]]) -> None:
    _filled, found = site

    assert found[""] == [], "say in tests/browser/every_page.py what these addresses are to show"


@pytest.mark.parametrize("role", ROLES)
def test_axe_finds_nothing_and_nothing_is_too_wide_or_too_large(
    tabs: Tabs, panel: Panel, site: tuple[FilledPanel, dict[str, list[str]]], role: str
) -> None:
    wrong = _wrong_on_each(tabs, panel, site, role, lambda page, path: _problems(page, path, role))

    assert len(site[1][role]) > 8
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_no_page_loses_words_rules_or_marks_at_a_desk_on_paper_or_in_forced_colors(
    tabs: Tabs, panel: Panel, site: tuple[FilledPanel, dict[str, list[str]]], role: str
) -> None:
    assert _wrong_on_each(tabs, panel, site, role, looks.faults) == []


def _wrong_on_each(
    tabs: Tabs,
    panel: Panel,
    site: tuple[FilledPanel, dict[str, list[str]]],
    role: str,
    check: Callable[[Page, str], list[str]],
) -> list[str]:
    """What the check finds on every page of this role."""
    filled, found = site
    page = _tab_of(tabs, panel, filled, role, may_be_refused=role == "visitor")
    wrong: list[str] = []
    for path in found[role]:
        page.goto(path)
        wrong += check(page, path)
    return wrong


def test_pages_with_nothing_on_them_yet_are_as_sound(
    tabs: Tabs, panel: Panel, site: tuple[FilledPanel, dict[str, list[str]]]
) -> None:
    """Pages of a user who has just signed up: no order, no money, no key, no ticket."""
    filled, found = site
    # Addresses with a number or a reference belong to someone else.
    of_others = [path for path in found["customer"] if any(sign.isdigit() for sign in path)]
    of_others += [path for path in found["customer"] if filled.values["reference"] in path]
    paths = [path for path in found["customer"] if path not in of_others]
    page = tabs.open(a_customer("0"), viewport=NARROW, color_scheme="light").page
    wrong = []

    for path in paths:
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, path
        wrong += _problems(page, path, "customer")

    assert {"/orders", "/orders/new", "/balance", "/tickets", "/account/keys"} < set(paths)
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_what_each_form_answers_when_it_is_empty_is_as_sound(
    tabs: Tabs, panel: Panel, site: tuple[FilledPanel, dict[str, list[str]]], role: str
) -> None:
    filled, found = site
    page = _tab_of(tabs, panel, filled, role)
    sent, wrong = set(), []

    for path in found[role]:
        page.goto(path)
        for action in page.evaluate(FORMS, FIELDS):
            if (action or path) not in sent:
                sent.add(action or path)
                page.goto(path)
                wrong += _sent(page, action, EMPTY, role)

    assert len(sent) >= 4
    assert wrong == []


def test_pages_on_which_people_check_what_they_do_are_as_sound(
    tabs: Tabs, panel: Panel, site: tuple[FilledPanel, dict[str, list[str]]]
) -> None:
    filled, _found = site
    values = filled.values
    tool, customer, reference = values["/tools/<slug>"], values["customer_id"], values["reference"]
    wrong = []
    for role, path, action, typed in (
        ("customer", f"/orders/new?tool={tool}", "/orders/check", {"link": LINK, "quantity": "100"}),
        ("customer", f"/orders/new?tool={tool}", "/orders/check", {"link": LINK, "quantity": "1e9"}),
        ("customer", "/orders/mass", "/orders/mass", {"lines": f"{tool} | {LINK} | 100\nno | such | line"}),
        (
            "operator",
            f"/office/customers/{customer}",
            f"/office/customers/{customer}/money",
            {"kind": "credit", "amount": "1.50", "reason": "It was late."},
        ),
        (
            "operator",
            f"/office/deposits/{reference}",
            f"/office/deposits/{reference}/confirmation",
            {"amount": "25", "paid_as": "TX-1"},
        ),
        ("operator", f"/office/tools/{tool}", f"/office/tools/{tool}/check", {"name": "Another name"}),
    ):
        page = _tab_of(tabs, panel, filled, role)
        page.goto(path)
        wrong += _sent(page, action, typed, role)
    assert wrong == []


def _tab_of(tabs: Tabs, panel: Panel, filled: FilledPanel, role: str, *, may_be_refused: bool = True) -> Page:
    """A narrow page of this user."""
    tab = tabs.open(viewport=NARROW, color_scheme="light")
    tab.complaints.expects_failed_answers = may_be_refused
    if role in filled.cookies:
        tab.page.context.add_cookies([{"name": "session", "value": filled.cookies[role], "url": panel.url}])
    return tab.page


def _sent(page: Page, action: str, typed: dict[str, str], role: str) -> list[str]:
    """Problems of the response to this form of the open page."""
    with page.expect_navigation():
        page.evaluate(SEND, [action, FIELDS, typed])
    return _problems(page, f"{action} from {page.url}", role)


def _problems(page: Page, path: str, role: str) -> list[str]:
    """Problems of the open page."""
    page.emulate_media(color_scheme="light")
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
    return wide + large + many + [f"{path}: {each}" for each in light + _violations(page, COLORS)]


def _violations(page: Page, options: dict[str, object]) -> list[str]:
    found = page.evaluate("async (options) => (await axe.run(options)).violations", options)
    return [f"{each['id']} at {' '.join(map(str, each['nodes'][0]['target']))}" for each in found]
