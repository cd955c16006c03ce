"""Customers' notifications by Telegram: a chat is linked by its own code, gets the chosen kinds, and no one else's."""

import html
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.notification_kinds import Notice
from panel.domain.status import Status
from panel.jobs import telegram as telegram_sweep
from panel.models import Mail, TelegramLink, TelegramMessage, User
from panel.services.mail import notifications, order_notifications
from panel.services.privacy import closing, data_export_tables
from panel.services.telegram import bot, links, outbox
from tests.flows.test_telegram import TOKEN, BotApi, bot_api, make_due, messages
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in
from tests.support.telegram_chats import link_chat

CODE = re.compile(r"/start ([A-Za-z0-9_-]{22})<")

pytestmark = pytest.mark.both_engines


def sweep() -> int:
    return telegram_sweep.sweep(worker="test")


def says(api: BotApi, text: str, *, chat: int = 42, kind: str = "private") -> None:
    number = 100 + len(api.updates)
    api.updates.append({"update_id": number, "message": {"text": text, "chat": {"id": chat, "type": kind}}})


def a_member(chat: str = "", *, is_confirmed: bool = True) -> User:
    customer = a_customer("100")
    with transaction():
        db.session.get_one(User, customer.id).email_confirmed_at = NOON if is_confirmed else None
        if chat:
            link_chat(customer.id, chat)
    return customer


def chat_of(customer: User) -> str:
    db.session.rollback()
    return db.session.scalars(select(User.telegram_chat).where(User.id == customer.id)).one()


def completed(customer: User) -> int:
    """An order of this customer that has ended, of which they are notified if they want to be."""
    order = an_order(customer=customer, tool=a_tool(), status=Status.COMPLETED)
    with transaction():
        order_notifications.notify_customer(customer.id, now=utc_now())
    return order.id


def kinds_of_mails(customer: User) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Mail.kind).where(Mail.user_id == customer.id)))


def test_the_chat_that_sends_the_code_is_linked_once(app: Flask, client: FlaskClient) -> None:
    customer = a_member()
    logged_in(client, customer)
    assert "Link Telegram" not in client.get("/account/notices").text
    with bot_api(app) as api:
        sweep()
        assert "Link Telegram" in client.get("/account/notices").text
        page = client.post("/account/notices/telegram").text
        (code,) = CODE.findall(page)
        assert f"https://t.me/panel_test_bot?start={code}" in page
        says(api, f"/start {code}", chat=-7, kind="group")
        says(api, "/start " + "x" * 22, chat=8)
        sweep()
        assert chat_of(customer) == ""

        says(api, f"/start {code}", chat=42)
        says(api, f"/start {code}", chat=43)
        # The message that it is linked; and once more, since a chat was awaited.
        assert sweep() == 1 + 1

        assert chat_of(customer) == "42"
        assert [body["chat_id"] for _path, body in api.calls] == [42]
        assert "linked" in str(api.calls[0][1]["text"])
        calls = len(api.asked)
        sweep()
        # Nobody links a chat now, so nothing is asked.
        assert len(api.asked) == calls and api.asked[0] == "getMe" and api.asked.count("getMe") == 1
        page = client.get("/account/notices").text
    assert page.count('name="telegram_') == len(Notice) and "Unlink Telegram" in page


def test_code_ends_after_its_time_and_with_the_next_one(app: Flask) -> None:
    customer = a_member()
    with transaction():
        old, new = links.begin(customer.id, now=NOON), links.begin(customer.id, now=NOON)

    with transaction():
        assert not links.link_chat(f"/start {old}", 42, now=NOON)
        assert not links.link_chat(f"/start {new}", 42, now=NOON + links.LASTS)
        assert links.link_chat(f"/start {new}", 42, now=NOON + links.LASTS - timedelta(seconds=1))
        assert not links.link_chat(f"/start {new}", 43, now=NOON)

    assert chat_of(customer) == "42"


def test_updates_that_are_broken_wait_a_minute_and_stop_no_message(app: Flask) -> None:
    customer = a_member("42")
    with bot_api(app) as api:
        sweep()
        with transaction():
            links.begin(customer.id, now=utc_now())
            outbox.queue(customer.id, "A message.", now=utc_now())
        api.updates.append({"update_id": 1, "message": {"text": "/start x", "chat": {"id": "?", "type": "private"}}})

        # The message; and once more, since a chat is awaited.
        assert sweep() == 1 + 1
        asked = list(api.asked)
        sweep()

        assert api.asked == asked
        assert not bot.may_call(TOKEN, now=utc_now()) and bot.may_call(TOKEN, now=utc_now() + timedelta(minutes=2))


@pytest.mark.parametrize(("by_email", "by_telegram"), [(True, True), (True, False), (False, True), (False, False)])
def test_each_kind_goes_where_the_customer_chose(client: FlaskClient, by_email: bool, by_telegram: bool) -> None:
    customer = a_member("42")
    logged_in(client, customer)
    data = {"email_completed": "yes"} if by_email else {}
    data |= {"telegram_completed": "yes"} if by_telegram else {}
    assert client.post("/account/notices", data=data).status_code == 303

    order_id = completed(customer)

    assert kinds_of_mails(customer) == ["orders"] * by_email
    assert [message.chat for message in messages()] == ["42"] * by_telegram
    assert all(f"Order {order_id} is Completed" in message.text for message in messages())
    assert all("unsubscribe" not in message.text for message in messages())


def test_chat_alone_is_enough_and_the_same_event_is_sent_once() -> None:
    customer = a_member("42", is_confirmed=False)
    completed(customer)
    for _ in range(2):
        with transaction():
            facts = {"ticket_id": 7, "subject": "Where is it?"}
            notifications.notify(customer.id, Notice.TICKET, key="ticket-entry:1:customer", now=NOON, **facts)

    assert kinds_of_mails(customer) == []
    assert len(messages()) == 2


def test_no_chat_ever_reads_about_another_customers_orders(app: Flask) -> None:
    first, second = a_member("41"), a_member("42")
    for customer in (first, second):
        completed(customer)
    with bot_api(app) as api:
        # The first customer's waiting message must not reach the chat that is the second one's now.
        with transaction():
            link_chat(first.id, "43")
            link_chat(second.id, "41")
        mine, others = completed(second), completed(first)
        while sweep():
            pass
        notified = {(body["chat_id"], number) for _path, body in api.calls for number in _orders_in(str(body["text"]))}

    assert notified == {(41, mine), (43, others)}
    assert {message.error for message in messages() if message.sent_at is None} == {outbox.NOT_LINKED}


def _orders_in(text: str) -> set[int]:
    return {int(number) for number in re.findall(r"Order ([0-9]+)", text)}


def test_chat_that_blocked_the_bot_is_left_alone_and_the_page_says_so(app: Flask, client: FlaskClient) -> None:
    customer = a_member("42")
    logged_in(client, customer)
    completed(customer)
    with bot_api(app) as api:
        api.status = 403
        sweep()
        assert "has refused our messages since" in html.unescape(client.get("/account/notices").text)
        completed(customer)
        make_due()
        calls = len(api.calls)
        sweep()
        assert len(api.calls) == calls and len(messages()) == 1

        with transaction():
            code = links.begin(customer.id, now=utc_now())
            assert links.link_chat(f"/start {code}", 42, now=utc_now())
        api.status = 200
        completed(customer)
        make_due()
        sweep()
        assert "has refused" not in client.get("/account/notices").text
    assert [message.sent_at is not None for message in messages()] == [True, True, True]


def test_unlinking_and_closing_end_it_and_own_data_names_it(app: Flask, client: FlaskClient) -> None:
    customer, closing_one = a_member("42"), a_customer("0")
    with transaction():
        link_chat(closing_one.id, "77")
        links.begin(closing_one.id, now=NOON)
        outbox.queue(closing_one.id, "Order 1 of https://example.com/mine.", now=NOON)
    logged_in(client, customer)
    exported = {table.name: str(list(table.rows())) for table in data_export_tables.tables(closing_one.id)}
    assert "77" in exported["account"] and "https://example.com/mine" in exported["telegram_messages"]

    assert client.post("/account/notices/telegram/end").status_code == 303
    with transaction():
        closing.close(closing_one.id, given_up_nanos=0, now=NOON)

    completed(customer)
    assert [chat_of(each) for each in (customer, closing_one)] == ["", ""]
    assert db.session.scalars(select(TelegramMessage)).all() == []
    assert db.session.scalars(select(TelegramLink)).all() == []


def test_nothing_is_offered_without_a_bot(client: FlaskClient) -> None:
    logged_in(client, a_member())

    page = client.get("/account/notices").text

    assert "Link Telegram" not in page and 'name="telegram_' not in page
    assert client.post("/account/notices/telegram").status_code == 404
