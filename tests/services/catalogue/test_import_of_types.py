"""Import of rows of every order type: the type, its price and its limits; unknown types wait for an operator."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.forms import drip_feed, own_fields
from panel.domain.forms.order_form import QuantityRule
from panel.domain.forms.order_types import TYPES
from panel.domain.status import Status
from panel.models import Review, Tool
from panel.services.catalogue import tool_settings
from panel.services.catalogue import tools as catalogue_tools
from panel.services.office import tool_editor
from tests.support.catalogue_imports import a_row, imported, offered
from tests.support.factories import NOON

pytestmark = pytest.mark.both_engines


def save(slug: str, **changes: str) -> None:
    tool = offered(slug)
    with transaction():
        typed = tool_editor.typed_of(tool) | changes
        tool_editor.save(
            slug, typed, version=tool_editor.version_of(tool), reason="How it is ordered.", actor="anna", now=NOON
        )


def test_rows_of_every_type_become_tools_of_that_type() -> None:
    rows = [
        a_row(number, type=order_type.upper(), name=f"Tool {order_type}", rate="2.50")
        for number, order_type in enumerate(TYPES, start=1)
    ]

    did = imported(*rows, margin="10%")

    assert (len(did.added), did.skipped) == (len(TYPES), [])
    for number, (order_type, form) in enumerate(TYPES.items(), start=1):
        tool = offered(next(slug for slug in did.added if slug.endswith(f"-{number}")))
        assert (tool.order_type, tool.form, tool.is_offered) == (order_type, form, True)
        assert tool.rate == "2.75"
        assert tool.price_micros_per_thousand == (2_750_000_000 if form.is_package else 2_750_000)
        assert (tool.minimum, tool.maximum) == ((1, 1) if form.is_package else (50, 10_000))
    assert imported(*rows, margin="10%").unchanged == did.added


@pytest.mark.parametrize("flag", [True, "1", " TRUE "])
def test_drip_feed_is_offered_where_the_provider_offers_it(flag: object) -> None:
    rows = [a_row(dripfeed=flag), a_row(2, dripfeed=flag, type="Poll"), a_row(3, dripfeed="who knows"), a_row(4)]

    did = imported(*rows)

    assert (len(did.added), did.skipped) == (4, [])
    tools = [offered(slug) for slug in did.added]
    assert [tool.form.has_drip_feed for tool in tools] == [True, False, False, False]
    assert (tools[0].form.names, tools[1].form, tools[0].is_offered) == (drip_feed.NAMES, TYPES["Poll"], True)
    own_fields.check(QuantityRule.BY_QUANTITY, own_fields.read(drip_feed.FIELDS))
    assert own_fields.write(own_fields.read(drip_feed.FIELDS)) == drip_feed.FIELDS
    assert imported(*rows).unchanged == did.added
    assert imported(a_row(), *rows[1:]).changed == [did.added[0]]
    assert offered(did.added[0]).form == TYPES["Default"]


def test_subscriptions_are_skipped_with_the_reason() -> None:
    did = imported(a_row(), a_row(2, type="Subscriptions"))

    [why] = did.skipped
    assert why.startswith("Row 2 (service 2) was skipped: its type is Subscriptions")


def test_a_tool_of_an_unknown_type_waits_until_an_operator_writes_its_form() -> None:
    imported(a_row(type="  Live   Stream "))
    waiting = offered()

    save("page-visits-1", quantity_rule="by_quantity", own_fields="minutes | Minutes | number | 1-60 | 30")

    assert (waiting.order_type, waiting.is_offered) == ("Live Stream", False)
    assert offered().is_offered
    assert offered().form.names == ("minutes",)
    did = imported(a_row(type="Live Stream", rate="1.00"))
    assert did.changed == ["page-visits-1"]
    assert (offered().form.names, offered().rate) == (("minutes",), "1.00")
    with transaction():
        tool_settings.leave_to_import("page-visits-1", "form", actor="anna", now=NOON)
    imported(a_row(type="Live Stream", rate="1.00"))
    assert not offered().is_offered


def test_package_is_never_partial() -> None:
    imported(a_row(rate="2.50", type="Package"))

    assert Status.PARTIAL not in catalogue_tools.statuses_of(offered())


def test_a_type_that_changes_is_followed_and_opens_a_review() -> None:
    imported(a_row(rate="2.50"))

    did = imported(a_row(rate="2.50", type="Package"))

    tool = offered()
    assert (tool.order_type, tool.rate, tool.minimum, tool.maximum) == ("Package", "2.50", 1, 1)
    assert [change.words for change in did.prices] == ["2.50 per 1,000 → 2.50 per package"]
    [review] = db.session.scalars(select(Review.text)).all()
    assert "was of the type Default and is now Package" in review


def test_price_of_a_package_may_be_higher_than_that_of_a_thousand() -> None:
    imported(a_row(rate="25000", type="Package"), a_row(2, rate="25000"))

    assert offered().rate == "25000.00"
    assert db.session.scalars(select(Tool.provider_service)).all() == ["1"]


def test_the_command_sets_the_price_of_one_package() -> None:
    imported(a_row(rate="2.50", type="Package"))

    with transaction():
        tool_settings.set_field("page-visits-1", "price_per_thousand", "3.123456789", actor="anna", now=NOON)

    assert offered().price_micros_per_thousand == 3_123_456_789
    imported(a_row(rate="9.00", type="Package"))
    assert offered().rate == "3.123456789"
