"""Search for people: what begins with the text among all accounts, a part inside an email among the newest."""

import pytest
from flask.testing import FlaskClient

from panel.db import db
from panel.services.accounts import people_search
from panel.services.office import customers
from tests.support.factories import a_customer, an_operator, an_order, logged_in

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_search, "SEARCHED_ACCOUNTS", 2)


def found(text: str) -> list[str]:
    db.session.rollback()
    return [row.email for row in customers.search(text, after=None).rows]


def test_all_accounts_are_searched_for_a_beginning_and_the_newest_for_a_part() -> None:
    for email in ("ada.old@example.com", "ada_b@example.com", "zoe@ada.example", "new.ada@example.com"):
        a_customer("0", email=email)

    assert found("ADA") == ["new.ada@example.com", "zoe@ada.example", "ada_b@example.com", "ada.old@example.com"]
    assert found("ada.o") == ["ada.old@example.com"]
    assert found("ada_") == ["ada_b@example.com"]
    assert found("ada.old@example.com") == ["ada.old@example.com"]
    assert found("old") == []
    assert found("zoe@") == ["zoe@ada.example"]


def test_pages_say_which_accounts_were_searched(client: FlaskClient) -> None:
    logged_in(client, an_operator())
    for number in range(3):
        an_order(customer=a_customer("10", email=f"person{number}@example.com"))

    page = client.get("/office/customers?q=person0").text
    orders = client.get("/office/orders?q=person0@").text

    assert "person0@example.com" in page and "Only the newest 2 accounts were searched" in page
    assert "person0@example.com" in orders and "only the newest 2 for it inside an email" in orders
    assert "accounts were searched" not in client.get("/office/customers").text.lower()
