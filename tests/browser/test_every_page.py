"""Every page in a real browser: axe finds nothing in either color scheme, no page is too wide or too large, and nothing
is lost at a desk, on paper and in forced colors. The office's pages are in `test_every_office_page.py`.
"""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.browser.conftest import Tabs
from tests.browser.page_checks import NARROW, Site, filled_site, problems, separate_panel, wrong_on_each
from tests.support.factories import a_customer
from tests.support.servers import Panel


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with separate_panel(tmp_path_factory.mktemp("every-page")) as panel:
        yield panel


@pytest.fixture
def site(app: Flask, panel: Panel) -> Site:
    return filled_site(app, panel)


def test_every_address_answers_some_user_with_a_page(site: Site) -> None:
    _filled, found = site

    assert found[""] == [], "say in tests/browser/every_page.py what these addresses are to show"


@pytest.mark.parametrize("role", ["visitor", "customer"])
def test_axe_finds_nothing_and_no_page_is_too_wide_too_large_or_loses_anything(
    tabs: Tabs, panel: Panel, site: Site, role: str
) -> None:
    assert wrong_on_each(tabs, panel, site, role) == []
    assert len(site[1][role]) > 8


def test_pages_with_nothing_on_them_yet_are_as_sound(tabs: Tabs, panel: Panel, site: Site) -> None:
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
        wrong += problems(page, path, "customer")

    assert {"/orders", "/orders/new", "/balance", "/tickets", "/account/keys"} < set(paths)
    assert wrong == []
