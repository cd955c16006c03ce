"""Getting started guide, followed exactly as written, through its links and button texts."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.status import FIRST, Status
from panel.models import Order, User
from panel.services.accounts import users
from panel.services.catalogue import tools
from panel.services.money import deposits, ledger
from panel.services.orders import transitions
from tests.content.reader import Visitor
from tests.support.factories import reload

GUIDE = "/getting-started"
EMAIL = "first@example.com"
STEPS = (
    "create-an-account",
    "add-funds",
    "choose-a-tool",
    "get-the-link-ready",
    "fill-in-the-form",
    "place-the-order",
    "watch-it",
)


@pytest.fixture
def reader(client: FlaskClient, csrf: None) -> Visitor:
    with transaction():
        tools.import_demo(now=utc_now())
    return Visitor(client)


def test_the_guide_leads_from_nothing_to_an_order_that_one_can_watch(reader: Visitor) -> None:
    reader.open(GUIDE)
    assert tuple(re.findall(r'<h2 id="([a-z-]+)">\d', reader.client.get(GUIDE).text)) == STEPS

    # 1. Create an account: logged in immediately, with a balance of zero.
    reader.follow("Sign up", step="create-an-account")
    reader.press("Create account", email=EMAIL, password="x" * (users.MIN_PASSWORD_LENGTH - 1))
    assert reader.status == 422 and str(users.MIN_PASSWORD_LENGTH) in reader.words
    reader.press("Create account", email=EMAIL, password="walks in by herself"[: users.MIN_PASSWORD_LENGTH])
    assert reader.status == 200 and "Log out" in reader.words
    assert f"Balance {money.shown(0)}" in reader.words.replace("\xa0", " ")

    # 2. Add funds: a reference, listed until it is confirmed, then an entry on the balance page.
    reader.open(GUIDE)
    reader.follow("Add funds", step="add-funds")
    reader.press("Continue to payment", amount="0.99")
    assert reader.status == 422
    reader.press("Continue to payment", amount=money.plain(deposits.MIN_NANOS))
    reader.open("/balance/add")
    reference = deposits.open_requests(customer().id)[0].reference
    assert reference in reader.words and ledger.balance_nanos(customer().id) == 0
    with transaction():
        deposits.confirm(reference, amount_nanos=5 * deposits.MIN_NANOS, note="Arrived.", now=utc_now())
    reader.open(GUIDE)
    reader.follow("balance", step="add-funds")
    assert "Added" in reader.words and money.shown(5 * deposits.MIN_NANOS) in reader.words

    # 3. Choose a tool: its page shows what is delivered, the price, the limits, refill and cancel.
    reader.open(GUIDE)
    reader.follow("tools", step="choose-a-tool")
    reader.follow("Newsletter readers")
    tool = tools.find("newsletter-readers")
    assert tool
    for label in ("What is delivered", "Price per 1,000", "Minimum order", "Maximum order", "Refill", "Cancel"):
        assert label in reader.words

    # 4. Get the link ready: a good and a bad example.
    assert f"Good {tool.link_example}" in reader.words
    assert f"Not accepted {tool.link_counter_example}" in reader.words

    # 5. Fill in the form: a wrong link and insufficient funds are explained, and neither charges anything.
    reader.open(GUIDE)
    reader.follow("New order", step="fill-in-the-form")
    reader.follow(tool.name)
    reader.press("Check your order", tool=tool.slug, link=tool.link_counter_example, quantity="100")
    assert reader.status == 422 and tool.link_example in reader.words
    reader.press("Check your order", tool=tool.slug, link=tool.link_example, quantity=str(tool.maximum))
    assert "Not enough funds" in reader.words and "Nothing was charged" in reader.words
    reader.open(f"/orders/new?tool={tool.slug}")
    reader.press("Check your order", tool=tool.slug, link=tool.link_example, quantity="1000")
    assert "Balance now" in reader.words and "Balance after" in reader.words
    assert ledger.balance_nanos(customer().id) == 5 * deposits.MIN_NANOS

    # 6. Place the order: the button has the amount, and a second press buys nothing.
    checked = reader.page
    reader.press(f"Place order for {money.shown(tool.charge_nanos(1000))}")
    first = reader.path
    assert reader.status == 200 and FIRST.label in reader.words
    assert re.fullmatch(r"/orders/\d+", first) and f"#{first.rpartition('/')[2]}" in reader.words
    reader.page = checked
    reader.press("Place order for")
    assert ledger.balance_nanos(customer().id) == 5 * deposits.MIN_NANOS - tool.charge_nanos(1000)

    # 7. Watch it: it is in the history, and what couldn't be delivered is refunded automatically.
    order = db.session.execute(select(Order)).scalar_one()
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PARTIAL, remains=400, now=utc_now())
    reader.open(GUIDE)
    reader.follow("your orders", step="watch-it")
    assert Status.PARTIAL.label in reader.words and f"#{reload(order).id}" in reader.words.replace("Order ", "#")
    assert ledger.balance_nanos(customer().id) == 5 * deposits.MIN_NANOS - tool.charge_nanos(600)
    reader.open(GUIDE)
    reader.follow("what the status means", step="watch-it")
    assert reader.status == 200


def test_guide_links_existing_customers_to_log_in(reader: Visitor) -> None:
    reader.open(GUIDE)
    reader.follow("log in", step="create-an-account")

    assert reader.path == "/log-in"


def customer() -> User:
    found = users.find_by_email(EMAIL)
    assert found
    return found
