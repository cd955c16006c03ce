"""Tool editor in the office: a comparison before saving, and no overwriting of a concurrent change."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import PanelError
from panel.models import AuditLogEntry, Terms, Tool
from panel.services.catalogue import tool_settings, tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.office import tool_editor
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON, a_customer, a_provider, a_tool, an_order, logged_in, new_terms, reload


def offer(slug: str = "page-visits") -> ToolOffer:
    db.session.rollback()
    found = tools.find_any(slug)
    assert found is not None
    return found


def form(slug: str = "page-visits", **changes: str) -> dict[str, str]:
    """Form data of a tool as it is now, with these changes."""
    return tool_editor.typed_of(offer(slug)) | {"version": tool_editor.version_of(offer(slug))} | changes


def save(office: FlaskClient, data: dict[str, str], reason: str = "New price upstream.") -> int:
    return office.post("/office/tools/page-visits", data=data | {"reason": reason}).status_code


def versions() -> int:
    return db.session.scalar(select(func.count()).select_from(Terms)) or 0


def test_the_list_has_hidden_tools_and_finds_by_provider(office: FlaskClient) -> None:
    a_tool("page-visits")
    a_tool("song-plays", is_hidden=True, provider="manual")

    whole = office.get("/office/tools").text
    manual = office.get("/office/tools?q=MANUAL").text

    assert whole.count("<tr id=") == 2 and "Hidden" in whole
    assert "song-plays" in manual and "page-visits" not in manual


def test_old_and_new_are_shown_with_the_least_orders_price_before_anything_is_saved(office: FlaskClient) -> None:
    a_tool("page-visits", price="0.90", minimum=100)

    page = office.post(
        "/office/tools/page-visits/check", data=form(price_per_thousand="1.10", refill_days="14", maximum="5000")
    ).text

    assert re.findall(r'<tr id="change-(\w+)"', page) == ["price_per_thousand", "maximum", "refill_days"]
    assert "<del>0.90</del>" in page and "<ins>1.10</ins>" in page
    assert re.search(r"minimum order costs now</dt><dd><data[^>]*>\$0\.09<", page)
    assert re.search(r"minimum order would cost</dt><dd><data[^>]*>\$0\.11<", page)
    assert offer().price_micros_per_thousand == 900_000


def test_saving_makes_one_new_version_and_leaves_earlier_orders_their_own(office: FlaskClient) -> None:
    tool = a_tool("page-visits", price="0.90")
    order = an_order(tool=tool)
    with transaction():
        tool_settings.set_field("page-visits", "summary", "By hand before.", actor="x", now=NOON)

    status = save(office, form(price_per_thousand="1.1", name="Visits <b>now</b>"))

    present = offer()
    assert status == 303
    assert (present.terms_version, present.price_micros_per_thousand) == (2, 1_100_000)
    assert reload(order).terms_id != present.terms_id
    assert reload(tool).set_by_hand.split() == ["name", "price_per_thousand", "summary"]
    line = db.session.scalars(select(AuditLogEntry).where(AuditLogEntry.action == "tools edit")).one()
    assert line.subject == "tool page-visits"
    assert "New price upstream. (name=Visits <b>now</b>, price_per_thousand=1.10)" in line.detail
    assert "Visits &lt;b&gt;now&lt;/b&gt;" in office.get("/office/tools/page-visits").text


def test_words_alone_make_no_new_terms(office: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")

    status = save(office, form(summary="Other words.", price_per_thousand="0.9000"))

    assert (status, versions(), offer().summary) == (303, 1, "Other words.")


@pytest.mark.parametrize("meanwhile", ["terms", "words"])
def test_a_tool_that_changed_in_between_is_a_409_and_stays(office: FlaskClient, meanwhile: str) -> None:
    tool = a_tool("page-visits", price="0.90")
    opened = form(price_per_thousand="1.10")
    if meanwhile == "terms":
        new_terms(tool, minimum=11)
    else:
        save(office, form(name="Someone was faster"))
    before = versions()

    checked = office.post("/office/tools/page-visits/check", data=opened)
    saved = save(office, opened)

    assert (checked.status_code, saved) == (409, 409)
    assert "The tool was changed since you opened it." in checked.text
    assert versions() == before and offer().price_micros_per_thousand == 900_000


@pytest.mark.both_engines
def test_of_many_who_save_at_once_one_wins(app: Flask) -> None:
    a_tool("page-visits", price="0.90")
    opened = form()

    def saving(price: int) -> object:
        def do() -> object:
            with transaction():
                return tool_editor.save(
                    "page-visits",
                    opened | {"price_per_thousand": f"1.{price}"},
                    version=opened["version"],
                    reason="Mine.",
                    actor="x",
                    now=NOON.replace(minute=price),
                )

        return do

    answers = run_concurrently(app, [saving(price) for price in range(1, 7)], expected=PanelError)

    assert sum(not isinstance(answer, PanelError) for answer in answers) == 1
    assert versions() == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price_per_thousand": "0"}, "price_per_thousand"),
        ({"price_per_thousand": "free"}, "price_per_thousand"),
        ({"minimum": "20", "maximum": "10"}, "maximum"),
        ({"minimum": "1e3"}, "minimum"),
        ({"refill_days": "forever"}, "refill_days"),
        ({"cancel": "maybe"}, "cancel"),
        ({"name": ""}, "name"),
        ({"summary": "two\nlines"}, "summary"),
        ({"provider": "nobody"}, "provider"),
        ({"link_pattern": "("}, "link_pattern"),
        ({"link_pattern": r"https://([a-z])\1/[a-z]+"}, "link_pattern"),
        ({"link_pattern": r"(?=https)\S+"}, "link_pattern"),
        ({"link_example": "https://example.org/"}, "link_example"),
        ({"link_counter_example": "https://example.com/page-1"}, "link_counter_example"),
    ],
)
def test_invalid_tool_is_a_422_at_its_field(office: FlaskClient, changes: dict[str, str], field: str) -> None:
    a_tool("page-visits")
    data = form(**{"unit": "typed before"} | changes)

    checked = office.post("/office/tools/page-visits/check", data=data)

    assert checked.status_code == 422
    assert f'id="{field}-error"' in checked.text
    assert "typed before" in checked.text
    assert save(office, data) == 422
    assert versions() == 1


def test_pattern_that_cannot_be_used_is_refused_with_the_reason(office: FlaskClient) -> None:
    a_tool("page-visits")

    page = office.post("/office/tools/page-visits/check", data=form(link_pattern=r"https://([a-z])\1/[a-z]+")).text

    assert "The pattern can’t be used (invalid escape sequence: \\1). Look-around, back-references" in page


def test_tool_with_a_stored_pattern_that_cannot_be_used_is_shown_to_operators_with_the_reason(
    office: FlaskClient,
) -> None:
    a_tool("page-visits", link_pattern=r"https://(?!x).*")

    index, page = office.get("/office/tools").text, office.get("/office/tools/page-visits").text

    assert "Can’t be ordered: the link pattern can’t be used (invalid perl operator: (?!)" in index
    assert "Nobody can see or order this tool: its link pattern can’t be used" in page
    assert 'href="/tools/page-visits"' not in page


def test_saving_needs_a_reason_and_a_difference(office: FlaskClient) -> None:
    a_tool("page-visits")

    assert save(office, form(name="Other"), reason="") == 422
    assert save(office, form()) == 409
    assert "Nothing would change." in office.post("/office/tools/page-visits/check", data=form()).text


def test_a_tool_is_hidden_and_shown_with_a_reason_and_its_orders_go_on(app: Flask, office: FlaskClient) -> None:
    tool = a_tool("page-visits")
    order = an_order(tool=tool)
    shopper = logged_in(app.test_client(), a_customer())

    empty = office.post("/office/tools/page-visits/hide", data={"reason": ""})
    hidden = office.post("/office/tools/page-visits/hide", data={"reason": "Upstream is gone."})
    gone = shopper.get("/tools/page-visits").status_code
    twice = office.post("/office/tools/page-visits/hide", data={"reason": "Again."})
    shown = office.post("/office/tools/page-visits/show", data={"reason": "Back."})

    assert [each.status_code for each in (empty, hidden, twice, shown)] == [422, 303, 409, 303]
    assert (gone, shopper.get("/tools/page-visits").status_code) == (404, 200)
    assert reload(order).status == "pending"
    assert "hidden" in reload(tool).set_by_hand.split()


def test_a_field_set_by_hand_is_left_to_the_import_again(office: FlaskClient) -> None:
    tool = a_tool("page-visits")
    save(office, form(name="Mine"))

    left = office.post("/office/tools/page-visits/leave-to-import", data={"field": "name"})
    twice = office.post("/office/tools/page-visits/leave-to-import", data={"field": "name"})

    assert (left.status_code, twice.status_code) == (303, 422)
    assert reload(tool).set_by_hand == ""


def test_a_new_tool_is_looked_at_and_then_made_once(office: FlaskClient) -> None:
    a_tool("page-visits", provider=a_provider("manual"))
    data = form(hidden="false") | {"slug": "song-plays"}

    wrong = office.post("/office/tools/new/check", data=data | {"slug": "New Tool", "minimum": "x"})
    taken = office.post("/office/tools/new/check", data=data | {"slug": "new"})
    looked = html.unescape(office.post("/office/tools/new/check", data=data).text)
    unmade = tools.find_any("song-plays")
    made, twice = (office.post("/office/tools/new", data=data | {"reason": "Asked for."}) for _ in range(2))

    assert (wrong.status_code, taken.status_code) == (422, 422)
    assert 'id="slug-error"' in wrong.text and 'id="minimum-error"' in wrong.text
    assert "song-plays" in looked and unmade is None
    assert (made.status_code, twice.status_code) == (303, 422)
    assert offer("song-plays").terms_version == 1
    assert db.session.scalar(select(func.count()).select_from(Tool)) == 2
    assert office.get("/tools/song-plays").status_code == 200


def test_a_tool_that_is_not_there_is_not_found(office: FlaskClient) -> None:
    for path in ("", "/check", "/hide", "/leave-to-import"):
        assert office.post(f"/office/tools/nothing{path}").status_code == 404
    assert office.get("/office/tools/nothing").status_code == 404
    assert office.get("/office/tools/%00").status_code == 404


def test_editor_makes_a_tool_of_another_type_with_fields_of_its_own(office: FlaskClient) -> None:
    a_tool("page-visits")
    own = {"order_type": "Live stream", "quantity_rule": "by_quantity", "own_fields": "minutes|Minutes|number|1-60"}

    check = office.post("/office/tools/page-visits/check", data=form(**own)).text
    saved = save(office, form(**own))

    assert "By quantity" in office.get("/office/tools/page-visits").text
    assert 'id="change-own_fields"' in check
    assert saved == 303
    assert offer().form.names == ("minutes",)
    assert offer().own_fields == "minutes | Minutes | number | 1-60 | 1"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"order_type": "Live stream"}, "quantity_rule"),
        ({"order_type": "x" * 61}, "order_type"),
        ({"own_fields": "a | A | text"}, "own_fields"),
        ({"quantity_rule": "by_hand"}, "quantity_rule"),
        ({"quantity_rule": "one_a_line"}, "own_fields"),
        ({"quantity_rule": "by_quantity", "own_fields": "link | Link"}, "own_fields"),
        ({"order_type": "Package"}, "maximum"),
    ],
)
def test_editor_says_what_is_wrong_with_the_order_form(
    office: FlaskClient, changes: dict[str, str], field: str
) -> None:
    a_tool("page-visits")

    answer = office.post("/office/tools/page-visits/check", data=form(**changes))

    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert versions() == 1


def test_price_of_a_package_is_that_of_one(office: FlaskClient) -> None:
    a_tool("page-visits")
    package = {"order_type": "Package", "price_per_thousand": "4.50", "minimum": "1", "maximum": "1"}

    saved = save(office, form(**package))

    assert (saved, offer().price_micros_per_thousand, offer().charge_nanos(1)) == (303, 4_500_000_000, 4_500_000_000)
    assert "per package" in office.get("/office/tools").text
