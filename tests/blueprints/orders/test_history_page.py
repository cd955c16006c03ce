"""Shells of the history: a page that is filled in shows this person alone, and is the page as rendered for them."""

import re

import pytest
from flask import Flask

from panel.blueprints.orders import history_page
from panel.blueprints.shared import shells
from panel.db import transaction
from panel.domain.status import Status
from panel.models import User
from panel.services import customer_version
from tests.support.factories import a_customer, a_tool, an_order, logged_in

LINK = "https://example.com/page-1?a=1&b=%22%3C"
PATHS = (
    "/orders",
    "/orders/live",
    "/orders?status=completed",
    "/orders?q=example",
    "/orders?q=%22%3Cscript%3E",
    "/orders?after=1",
    "/orders?from=2020-01-01",
)


def _people() -> tuple[User, User]:
    tool = a_tool(link_pattern=r"https://example\.com/page-.*")
    first = a_customer("5000", email="first.o'neil&co@example.com")
    second = a_customer("7000", email="second.o'neil&co@example.com")
    for customer, orders in ((first, 27), (second, 26)):
        for number in range(orders):
            status = Status.PARTIAL if number % 9 == 0 else Status.PENDING
            an_order(customer=customer, tool=tool, status=status, link=f"{LINK}{number}")
    return first, second


def _page(app: Flask, user: User, path: str) -> str:
    with transaction():
        # So that no cache of whole pages answers.
        customer_version.bump([user.id])
    answer = logged_in(app.test_client(), user).get(path)
    assert answer.status_code == 200, path
    # What differs between two sessions and two versions.
    same = re.sub(r'(name="csrf_token" value|data-push|data-hx-ptag)="[^"]*"', "", answer.text)
    return re.sub(r"\d\d:\d\d:\d\d(Z| UTC)|\d\d:\d\d UTC", "", same)


def test_page_filled_in_is_the_page_rendered_for_this_person(app: Flask) -> None:
    first, second = _people()
    for path in PATHS:
        mine = _page(app, first, path)
        theirs = _page(app, second, path)

        for name in ("panel.shells_of_history", "panel.shells_of_regions", "panel.shells_of_rows"):
            app.extensions.pop(name, None)

        assert theirs == _page(app, second, path), path
        assert "first." not in theirs, path
        assert "second." not in mine, path
        assert mine != theirs, path


def test_page_shows_a_person_nowhere_else_than_in_the_parts(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    class _Noted(shells.Shell):
        def __init__(self, html: str) -> None:
            made.append(html)
            super().__init__(html)

    for module in (history_page, shells):
        monkeypatch.setattr(module, "Shell", _Noted)
    first, _second = _people()

    page = _page(app, first, "/orders")

    assert "first.o&#39;neil&amp;co@example.com" in page
    assert len(made) >= 3
    for html in made:
        assert "first." not in html
        assert "example.com/page-1" not in html
        assert not re.search(r'csrf_token" value="[^"]{60,}', html)


def test_message_after_a_form_is_shown_once(app: Flask) -> None:
    first, _second = _people()
    client = logged_in(app.test_client(), first)
    client.get("/orders")
    with client.session_transaction() as session:
        session["_flashes"] = [("message", "Saved.")]

    texts = [client.get("/orders").text for _ in range(2)]

    assert ["Saved." in text for text in texts] == [True, False]
