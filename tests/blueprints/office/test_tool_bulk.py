"""Bulk edit of tools: old and new values come first; what was set stays when catalogues are imported."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import AuditLogEntry, Terms, Tool
from panel.services.catalogue import bulk_edit, tool_settings
from panel.services.catalogue.bulk_edit import BulkToolAction
from tests.support.catalogue_imports import a_row, imported, offered
from tests.support.factories import NOON, a_tool
from tests.support.page_text import text_of

PATH = "/office/tool-changes"
LIST = {"scope": "list"}


def send(office: FlaskClient, data: dict[str, object]) -> tuple[str, int]:
    """Send the form and confirm what the check page shows; returns that page's text and the last status."""
    asked = office.post(PATH, data=data)
    assert asked.status_code == 200, asked.text
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', asked.text)
    confirmed = {"confirmed": "yes", "digest": "" if digest is None else digest[1], "reason": "Spring."}
    return text_of(asked.text), office.post(PATH, data=data | confirmed).status_code


def test_selected_tools_move_to_a_category_and_imports_leave_it(office: FlaskClient) -> None:
    imported(a_row(), a_row(2), a_row(3))
    ids = [offered("page-visits-1").tool_id, offered("page-visits-3").tool_id]

    shown, status = send(office, {"action": "category", "value": "Best <b>", "scope": "selected", "tool": ids})
    imported(a_row(category="Else"), a_row(2, category="Else"), a_row(3, category="Else"))

    assert "Page visits page-visits-1 Pages Best <b>" in shown and "Tools that change 2" in shown
    assert status == 303
    db.session.rollback()
    found = db.session.scalars(select(Tool.category).order_by(Tool.slug)).all()
    assert found == ["Best <b>", "Else", "Best <b>"]
    assert "Best <b>" in db.session.scalars(select(Terms.category)).all()
    entries = db.session.execute(select(AuditLogEntry.action, AuditLogEntry.subject)).all()
    assert [tuple(each) for each in entries] == [("tools bulk", f"tool page-visits-{number}") for number in (1, 3)]


def test_all_of_a_list_are_those_under_its_filters(office: FlaskClient) -> None:
    imported(a_row(), a_row(2, category="Videos"), a_row(3, category="Videos", name="Reads"))

    send(office, {"action": "hide", **LIST, "category": "Videos", "q": "visits"})
    hidden = office.get("/office/tools?visibility=hidden").text
    send(office, {"action": "show", **LIST, "visibility": "hidden"})

    assert hidden.count("<tr id=") == 1 and "page-visits-2" in hidden
    assert not offered("page-visits-2").is_hidden
    db.session.rollback()
    assert db.session.scalars(select(Tool.set_by_hand).order_by(Tool.slug)).all() == ["", "hidden", ""]


@pytest.mark.parametrize(
    ("percent", "micros"),
    [("10", 990_002), ("+10%", 990_002), ("-10", 810_001), ("0.01", 900_092), ("-99.99", 91), ("1000", 9_900_011)],
)
def test_prices_change_by_a_percentage_and_are_rounded_up(office: FlaskClient, percent: str, micros: int) -> None:
    imported(a_row(rate="0.900001"))

    send(office, {"action": "percent", "value": percent, **LIST})
    imported(a_row(rate="2"))

    assert offered().price_micros_per_thousand == micros


def test_package_keeps_a_price_of_whole_millionths(office: FlaskClient) -> None:
    imported(a_row(type="Package", rate="0.900001"))

    send(office, {"action": "percent", "value": "10", **LIST})

    assert offered().rate == "0.990002"


def test_price_rules_apply_again(office: FlaskClient) -> None:
    imported(a_row(), a_row(2), margin="20%")
    a_tool("own")
    with transaction():
        tool_settings.set_field("page-visits-1", "price_per_thousand", "5", actor="anna", now=NOON)

    shown, _status = send(office, {"action": "price_rules", **LIST})
    imported(a_row(rate="1.00"), a_row(2), margin="20%")

    assert "Falls" in shown and "Prices that fall 1" in shown
    assert "own: It was not imported, so no price rules apply." in shown and "page-visits-2: The price stays." in shown
    assert offered().price_micros_per_thousand == 1_200_000


def test_price_that_equals_the_rules_follows_them_again(office: FlaskClient) -> None:
    imported(a_row(), margin="20%")
    with transaction():
        tool_settings.set_field("page-visits-1", "price_per_thousand", "1.08", actor="anna", now=NOON)

    shown, status = send(office, {"action": "price_rules", **LIST})
    again = text_of(office.post(PATH, data={"action": "price_rules", **LIST}).text)
    imported(a_row(rate="1.80"), margin="20%")

    assert "Page visits page-visits-1 Set by hand Follows the rules" in shown and status == 303
    assert "page-visits-1: The price stays." in again
    assert offered().price_micros_per_thousand == 2_160_000
    assert db.session.scalars(select(Terms.version)).all() == [1, 2]
    details = db.session.scalars(select(AuditLogEntry.detail).where(AuditLogEntry.action == "tools bulk")).all()
    assert details == ["Spring. (Use the provider’s price rules again: Set by hand → Follows the rules)"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "percent", "value": "0"},
        {"action": "percent", "value": "-100"},
        {"action": "percent", "value": "1.234"},
        {"action": "percent", "value": ""},
        {"action": "category", "value": ""},
        {"action": "nothing"},
        {"action": "hide", "scope": "selected"},
    ],
)
def test_wrong_changes_are_refused(office: FlaskClient, wrong: dict[str, str]) -> None:
    imported(a_row())

    refused = office.post(PATH, data=LIST | wrong)

    assert refused.status_code == 422 and "Nothing was changed" in refused.text


def test_changed_tools_are_previewed_again(office: FlaskClient) -> None:
    imported(a_row())
    data = {"action": "percent", "value": "10", **LIST}
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', office.post(PATH, data=data).text)
    assert digest is not None
    with transaction():
        tool_settings.set_field("page-visits-1", "price_per_thousand", "5", actor="anna", now=NOON)

    confirmed = data | {"confirmed": "yes", "digest": digest[1], "reason": "Spring."}
    refused = office.post(PATH, data=confirmed)
    without_reason = office.post(PATH, data=confirmed | {"reason": ""})

    assert refused.status_code == 409 and "Check the new preview" in refused.text and "5.50" in refused.text
    assert without_reason.status_code == 422
    assert offered().price_micros_per_thousand == 5_000_000


@pytest.mark.both_engines
def test_change_of_many_is_one_step() -> None:
    imported(*[a_row(number) for number in range(1, 31)])
    ids = list(db.session.scalars(select(Tool.id)))
    digest = bulk_edit.preview(ids, BulkToolAction.PERCENT, "-50").digest
    with transaction():
        bulk_edit.apply(ids, BulkToolAction.PERCENT, "-50", digest=digest, reason="Half.", actor="anna", now=NOON)

    prices = db.session.scalars(select(Terms.price_micros_per_thousand).where(Terms.version == 2)).all()
    assert prices == [450_000] * 30


def test_list_of_tools_has_pages(office: FlaskClient) -> None:
    imported(*[a_row(number) for number in range(1, 50)])

    first, second = (office.get(f"/office/tools?page={page}").text for page in (1, 2))

    assert (first.count("<tr id="), second.count("<tr id=")) == (40, 9)
    assert "41–49 of 49 tools" in text_of(second) and "Next tools" in first and "Next tools" not in second
