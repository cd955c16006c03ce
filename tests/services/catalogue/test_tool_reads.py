"""Catalogue reads: what customers find, the list's filters, and the demo catalogue."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import UnknownTool
from panel.domain.status import Status
from panel.jobs import link_rules
from panel.models import Review
from panel.services.api import orders as api_orders
from panel.services.catalogue import search_index, tool_texts
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.customer_prices import LIST_PRICES
from panel.services.money import ledger
from panel.services.orders import placing as order_placing
from panel.services.orders.placing import Placing
from panel.settings import ROOT
from tests.support.factories import LINK, NOON, a_customer, a_tool

LATER = NOON.replace(hour=15)


def test_a_hidden_tool_is_found_by_us_and_not_by_customers() -> None:
    hidden = a_tool("hidden-tool", is_hidden=True)

    assert catalogue_tools.find("hidden-tool") is None
    assert catalogue_tools.listed() == []
    assert search_index.current().categories == ()
    assert (
        catalogue_tools.find_any("hidden-tool") == catalogue_tools.offer(hidden.id) == catalogue_tools.listed_all()[0]
    )


@pytest.mark.parametrize("pattern", [r"https://(?!x).*", r"(a)\1", "(", "a" * 501, r"https://Example\.com/.*"])
def test_a_tool_whose_stored_pattern_cannot_be_used_is_offered_to_nobody(pattern: str) -> None:
    tool = a_tool("old-pattern", link_pattern=pattern)
    a_tool("good-pattern")
    customer = a_customer("10")
    placing = Placing("old-pattern", LINK, "1000", request_id="request-1")

    with pytest.raises(UnknownTool), transaction():
        order_placing.place_order(customer.id, asked=placing, now=NOON)

    assert [each.slug for each in catalogue_tools.listed()] == ["good-pattern"]
    assert [each.name for each in api_orders.services(prices=LIST_PRICES, now=NOON)] == ["Good pattern"]
    assert catalogue_tools.find("old-pattern") is None
    found = catalogue_tools.find_any("old-pattern")
    assert found is not None and found.link_fault and not found.is_hidden
    assert catalogue_tools.offer(tool.id) == found
    assert ledger.balance_nanos(customer.id) == 10_000_000_000


def test_operators_are_notified_once_of_each_tool_with_an_unusable_pattern() -> None:
    a_tool("old-pattern", link_pattern="(?=x)")
    a_tool("good-pattern")

    counts = [link_rules.sweep(worker="test") for _ in range(2)]

    assert counts == [1, 0]
    (review,) = db.session.scalars(select(Review))
    assert review.kind == "link_pattern"
    assert review.text.startswith("Nobody can order old-pattern: its link pattern can’t be used (invalid perl")


def test_the_list_is_filtered_by_category_and_by_refill() -> None:
    a_tool("with-refill", refill_days=30)
    a_tool("without-refill", refill_days=None)

    assert [tool.slug for tool in catalogue_tools.listed(refill=True)] == ["with-refill"]
    assert [tool.slug for tool in catalogue_tools.listed(refill=False)] == ["without-refill"]
    assert len(catalogue_tools.listed(category="Pages")) == 2
    assert catalogue_tools.listed(category="Elsewhere") == []


def test_refill_is_a_status_only_of_tools_that_offer_it() -> None:
    a_tool("with-refill", refill_days=30)
    a_tool("without-refill", refill_days=None)

    with_refill, without = catalogue_tools.listed()

    assert catalogue_tools.statuses_of(with_refill) == tuple(Status)
    assert set(Status) - set(catalogue_tools.statuses_of(without)) == {Status.REFILL}


@pytest.mark.both_engines
def test_the_demo_catalogue_offers_and_withholds_refill_and_cancel() -> None:
    with transaction():
        catalogue_tools.import_demo(now=NOON)
    with transaction():
        again = catalogue_tools.import_demo(now=LATER)

    tools = catalogue_tools.listed()
    assert len(tools) >= 12
    assert again.unchanged and not again.added and not again.changed
    assert {(tool.can_refill, tool.can_cancel) for tool in tools} == {
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    }
    assert {tool.provider_kind for tool in tools} == {"simulated", "manual"}
    by_name = {tool.name: tool.provider_service for tool in tools}
    assert by_name["Try a Partial order (demo)"] == "partial"
    assert by_name["Try a Canceled order (demo)"] == "canceled"


def test_every_demo_tool_has_a_text_and_every_text_a_tool() -> None:
    with transaction():
        catalogue_tools.import_demo(now=NOON)

    texts = tool_texts.load(ROOT / "content" / "tools")

    assert set(texts) == {tool.slug for tool in catalogue_tools.listed()}
    assert {slug for slug, each in texts.items() if each.drop} == {
        tool.slug for tool in catalogue_tools.listed(refill=True)
    }
