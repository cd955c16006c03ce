"""Amounts in the millions with nine places, and names of one long word: no page becomes wider than its window."""

import pytest

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Tool
from tests.browser.conftest import Tabs
from tests.support.factories import a_customer, a_tool, an_order

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
WIDTH_OF_PAGE = "document.documentElement.scrollWidth"


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_long_words_and_large_amounts_fit(tabs: Tabs, width: int) -> None:
    customer = a_customer("12345678.123456789")
    tool = a_tool(price="1234.567891", maximum=1_000_000_000)
    order = an_order(customer=customer, tool=tool, quantity=1_234_567, status=Status.PARTIAL)
    with transaction():
        renamed = db.session.get_one(Tool, tool.id)
        renamed.name = renamed.category = LONG_WORD
    page = tabs.open(customer, viewport={"width": width, "height": 800}).page

    wide = []
    for path in ("/tools", "/orders", f"/orders/{order.id}", "/orders/new", "/orders/mass", "/balance", "/balance/add"):
        page.goto(path)
        if page.evaluate(WIDTH_OF_PAGE) > width:
            wide.append(path)

    assert wide == []
