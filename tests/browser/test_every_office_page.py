"""Every page of the office in a real browser, as `test_every_page.py` opens the others; another process runs it."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.browser.conftest import Tabs
from tests.browser.page_checks import Site, filled_site, separate_panel, wrong_on_each
from tests.support.servers import Panel


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with separate_panel(tmp_path_factory.mktemp("every-office-page")) as panel:
        yield panel


@pytest.fixture
def site(app: Flask, panel: Panel) -> Site:
    return filled_site(app, panel)


def test_axe_finds_nothing_and_no_page_of_the_office_is_too_wide_too_large_or_loses_anything(
    tabs: Tabs, panel: Panel, site: Site
) -> None:
    assert wrong_on_each(tabs, panel, site, "operator") == []
    assert len(site[1]["operator"]) > 8
