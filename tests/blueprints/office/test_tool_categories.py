"""Order of the categories: set with buttons in the office, and the same on every page and in the API."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.models import AuditLogEntry, Tool
from panel.services.api import orders as api_orders
from panel.services.catalogue import category_order, tools
from panel.services.catalogue.category_order import CategoryMove
from panel.services.catalogue.customer_prices import LIST_PRICES
from tests.support.factories import NOON, a_tool

PATH = "/office/categories"


@pytest.fixture
def categories(app: Flask) -> None:
    """One tool in each of four categories."""
    for slug, category in (("a", "Audio"), ("b", "Beats"), ("c", "Clips"), ("d", "Delta")):
        a_tool(slug)
        with transaction():
            db.session.execute(update(Tool).where(Tool.slug == slug).values(category=category))
    move("Beats", CategoryMove.UP)
    with transaction():
        category_order.sort_by_name(actor="root", now=NOON)


def move(category: str, how: CategoryMove) -> int:
    with transaction():
        return category_order.move(category, how, actor="root", now=NOON)


def order() -> list[tuple[str, int | None]]:
    db.session.rollback()
    return [(row.name, row.place) for row in category_order.listed()]


def options(page: str) -> list[str]:
    return re.findall(r'<option value="(Audio|Beats|Clips|Delta)"', page)


@pytest.mark.usefixtures("categories")
def test_the_order_is_the_same_on_every_page_and_in_the_api(client: FlaskClient, office: FlaskClient) -> None:
    before = options(client.get("/tools").text)
    office.post(f"{PATH}/top", data={"category": "Clips"})
    sent = office.post(f"{PATH}/top", data={"category": "Delta"})

    page, home = client.get("/tools").text, client.get("/").text
    picker = office.get("/orders/new").text

    assert (sent.status_code, sent.location) == (303, f"{PATH}#place-1")
    expected = ["Delta", "Clips", "Audio", "Beats"]
    assert before == ["Audio", "Beats", "Clips", "Delta"]
    assert options(page) == options(picker) == expected
    assert re.findall(r"/tools\?category=(\w+)", home) == expected
    assert re.findall(r'<th scope="row"><div><a href="/tools/(\w)"', page) == ["d", "c", "a", "b"]
    assert "Category and name" in page
    listed = api_orders.services(prices=LIST_PRICES, now=NOON)
    assert [each.category for each in listed] == expected


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([("Delta", "top")], [("Delta", 1), ("Audio", None), ("Beats", None), ("Clips", None)]),
        ([("Clips", "up")], [("Audio", 1), ("Clips", 2), ("Beats", None), ("Delta", None)]),
        ([("Audio", "down")], [("Beats", 1), ("Audio", 2), ("Clips", None), ("Delta", None)]),
        ([("Delta", "top"), ("Delta", "down")], [("Audio", 1), ("Delta", 2), ("Beats", None), ("Clips", None)]),
        ([("Delta", "top"), ("Audio", "up")], [("Audio", 1), ("Delta", 2), ("Beats", None), ("Clips", None)]),
        ([("Delta", "top"), ("Clips", "top")], [("Clips", 1), ("Delta", 2), ("Audio", None), ("Beats", None)]),
    ],
)
@pytest.mark.usefixtures("categories")
@pytest.mark.both_engines
def test_a_move_gives_places_only_where_they_are_needed(
    moves: list[tuple[str, str]], expected: list[tuple[str, int | None]]
) -> None:
    places = [move(category, CategoryMove(how)) for category, how in moves]

    assert order() == expected
    assert places[-1] == dict(expected)[moves[-1][0]]


@pytest.mark.usefixtures("categories")
def test_moves_that_change_nothing_are_refused_in_words(office: FlaskClient) -> None:
    first = office.post(f"{PATH}/up", data={"category": "Audio"})
    last = office.post(f"{PATH}/down", data={"category": "Delta"})
    unknown = office.post(f"{PATH}/up", data={"category": "Gone"})
    by_name = office.post(f"{PATH}/by-name")

    assert "This category is the first one already." in first.text
    assert "This category is the last one already." in last.text
    assert "No tool has this category any more." in unknown.text
    assert "in the order of their names already" in by_name.text
    assert {each.status_code for each in (first, last, by_name)} == {409}
    assert all(place is None for _name, place in order())


@pytest.mark.usefixtures("categories")
def test_a_move_is_in_the_audit_log_and_changes_the_catalogues_version(office: FlaskClient) -> None:
    version = tools.version()

    office.post(f"{PATH}/up", data={"category": "Beats"})
    page = office.get(PATH).text

    entry = db.session.scalars(select(AuditLogEntry).order_by(AuditLogEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.subject, entry.detail) == ("tools category order", "category Beats", "place 2 → 1")
    assert tools.version() > version
    assert "Sort all by name" in page and 'id="place-4"' in page
