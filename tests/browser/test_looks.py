"""Every page at a desk, on paper and in forced colors: nothing is lost."""

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.browser import looks
from tests.browser.conftest import Tabs
from tests.browser.every_page import ROLES
from tests.browser.page_checks import Site, filled_site, separate_panel, wrong_on_each
from tests.support.servers import Panel


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with separate_panel(tmp_path_factory.mktemp("looks")) as panel:
        yield panel


@pytest.fixture
def site(app: Flask, panel: Panel) -> Site:
    return filled_site(app, panel)


@pytest.mark.parametrize("role", ROLES)
def test_no_page_loses_words_rules_or_marks_at_a_desk_on_paper_or_in_forced_colors(
    tabs: Tabs, panel: Panel, site: Site, role: str
) -> None:
    assert wrong_on_each(tabs, panel, site, role, looks.faults) == []
