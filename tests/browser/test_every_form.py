"""Every form in a real browser: the response to an empty one, and check pages, are as sound as other pages."""

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page

from tests.browser.conftest import Tabs
from tests.browser.every_page import ROLES
from tests.browser.page_checks import Site, filled_site, problems, separate_panel, tab_of
from tests.support.factories import LINK
from tests.support.servers import Panel

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


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with separate_panel(tmp_path_factory.mktemp("every-form")) as panel:
        yield panel


@pytest.fixture
def site(app: Flask, panel: Panel) -> Site:
    return filled_site(app, panel)


@pytest.mark.parametrize("role", ROLES)
def test_answer_to_each_empty_form_passes_the_same_checks(tabs: Tabs, panel: Panel, site: Site, role: str) -> None:
    filled, found = site
    page = tab_of(tabs, panel, filled, role)
    sent, wrong = set(), []

    for path in found[role]:
        page.goto(path)
        others = [action for action in page.evaluate(FORMS, FIELDS) if (action or path) not in sent]
        for number, action in enumerate(dict.fromkeys(others)):
            if number > 0:
                page.goto(path)
            sent.add(action or path)
            wrong += _sent(page, action, EMPTY, role)

    assert len(sent) >= 4
    assert wrong == []


def test_pages_on_which_people_check_what_they_do_are_as_sound(tabs: Tabs, panel: Panel, site: Site) -> None:
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
        page = tab_of(tabs, panel, filled, role)
        page.goto(path)
        wrong += _sent(page, action, typed, role)
    assert wrong == []


def _sent(page: Page, action: str, typed: dict[str, str], role: str) -> list[str]:
    """Problems of the response to this form of the open page."""
    with page.expect_navigation():
        page.evaluate(SEND, [action, FIELDS, typed])
    return problems(page, f"{action} from {page.url}", role)
