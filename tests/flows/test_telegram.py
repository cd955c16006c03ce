"""Telegram: alerts go to the operator's chat through the Bot API, are retried, and its refusals are final."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.alerts import AlertChannel, AlertKind
from panel.jobs import telegram as telegram_sweep
from panel.models import Mail, TelegramMessage, User
from panel.services.alerts import recipients, rounds
from panel.services.money import deposits
from panel.services.telegram import links, outbox
from tests.support.factories import NOON, a_customer, an_operator, logged_in
from tests.support.telegram_chats import link_chat
from tests.support.ticket_factories import a_ticket

TOKEN = "123456:A-token-of-a-bot-that-is-none"


class BotApi(ThreadingHTTPServer):
    """Local stand-in of the Bot API: records each call and answers with `status` and `answer`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _BotApiHandler)
        self.status = 200
        self.answer: dict[str, object] = {"ok": True, "result": {"message_id": 1}}
        self.calls: list[tuple[str, dict[str, object]]] = []
        # What was sent to the bot, and which methods besides sendMessage were called.
        self.updates: list[dict[str, object]] = []
        self.asked: list[str] = []

    def result_of(self, method: str, body: dict[str, object]) -> object:
        self.asked.append(method)
        if method == "getMe":
            return {"id": 123456, "is_bot": True, "username": "panel_test_bot"}
        return [each for each in self.updates if int(str(each["update_id"])) >= int(str(body["offset"]))][:5]


class _BotApiHandler(BaseHTTPRequestHandler):
    server: BotApi

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = self.path.rpartition("/")[2]
        if method == "sendMessage":
            self.server.calls.append((self.path, body))
            status, answer = self.server.status, self.server.answer
        else:
            status, answer = 200, {"ok": True, "result": self.server.result_of(method, body)}
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def bot_api(app: Flask) -> Iterator[BotApi]:
    """A bot with a token, whose calls go to the stand-in."""
    server, settings = BotApi(), app.config["PANEL"]
    settings.telegram_token = TOKEN
    settings.egress_test_hosts = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(telegram_sweep, "BOT_API", f"http://127.0.0.1:{server.server_port}")
            yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def an_alerted_operator(chat: str = "42") -> User:
    operator = an_operator()
    with transaction():
        link_chat(operator.id, chat)
    a_ticket()
    with transaction():
        rounds.notify(now=utc_now())
    return operator


def messages() -> list[TelegramMessage]:
    db.session.expire_all()
    return list(db.session.scalars(select(TelegramMessage).order_by(TelegramMessage.id)))


def make_due() -> None:
    with transaction():
        db.session.execute(update(TelegramMessage).values(due_at=utc_now() - timedelta(seconds=1)))


def test_alert_is_sent_to_the_operators_chat_once(app: Flask) -> None:
    with bot_api(app) as api:
        an_alerted_operator("-1001234")

        assert [telegram_sweep.sweep(worker="test") for _ in range(2)] == [1, 0]

        ((path, body),) = api.calls
    assert path == f"/bot{TOKEN}/sendMessage"
    assert body["chat_id"] == -1001234
    assert "Tickets waiting for a reply: 1" in str(body["text"]) and "/office/tickets" in str(body["text"])
    assert [message.sent_at is not None for message in messages()] == [True]


def test_each_channel_gets_the_kinds_that_were_chosen_for_it(app: Flask) -> None:
    operator, customer = an_operator(), a_customer()
    with transaction():
        db.session.get_one(User, operator.id).email_confirmed_at = NOON
        link_chat(operator.id, "42")
        wanted = [(AlertKind.DEPOSIT, AlertChannel.TELEGRAM), (AlertKind.TICKET, AlertChannel.EMAIL)]
        recipients.choose(operator.id, wanted=wanted)
        deposits.request_deposit(customer.id, amount_nanos=25 * 10**9, now=NOON)
    a_ticket()

    with transaction():
        rounds.notify(now=utc_now())

    (message,) = messages()
    mail = db.session.scalars(select(Mail).where(Mail.kind == "alerts")).one()
    assert "Deposits to confirm" in message.text and "Tickets" not in message.text
    assert "Tickets waiting" in mail.text and "Deposits" not in mail.text


def test_message_waits_as_long_as_telegram_asks_and_is_sent_then(app: Flask) -> None:
    with bot_api(app) as api:
        an_alerted_operator()
        api.status, api.answer = 429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 1_000}}
        began = utc_now()

        assert telegram_sweep.sweep(worker="test") == 1

        (message,) = messages()
        assert message.due_at is not None
        assert timedelta(seconds=990) < message.due_at - began < timedelta(seconds=1_060)
        api.status, api.answer = 200, {"ok": True}
        make_due()
        assert telegram_sweep.sweep(worker="test") == 1
    assert [(each.due_at, each.error) for each in messages()] == [(None, "")]


def test_refusals_are_final_and_failures_are_retried_without_naming_the_token(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bot_api(app) as api:
        an_alerted_operator()
        api.status = 500
        telegram_sweep.sweep(worker="test")
        assert messages()[0].due_at is not None
        make_due()
        api.status = 403
        telegram_sweep.sweep(worker="test")
    (message,) = messages()
    assert (message.due_at, message.sent_at, message.error) == (None, None, "403")

    # The chat is blocked now, until it is entered again.
    make_due()
    telegram_sweep.sweep(worker="test")
    assert (messages()[0].due_at, messages()[0].error) == (None, outbox.NOT_LINKED)
    with transaction():
        link_chat(an_operator_id(), "42")
    monkeypatch.setattr(telegram_sweep, "BOT_API", "http://127.0.0.1:9")
    make_due()
    telegram_sweep.sweep(worker="test")
    assert messages()[0].due_at is not None
    assert TOKEN not in messages()[0].error


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_token_gives_up_no_message(app: Flask, status: int) -> None:
    with bot_api(app) as api:
        an_alerted_operator()
        with transaction():
            outbox.queue(an_operator_id(), "Another message.", now=utc_now())
        api.status = status

        assert telegram_sweep.sweep(worker="test") == 1

        assert all(each.due_at is not None for each in messages())
        api.status = 200
        make_due()
        assert telegram_sweep.sweep(worker="test") == 2
    assert all(each.sent_at is not None for each in messages())


def test_without_token_or_chat_nothing_is_queued_or_sent(app: Flask) -> None:
    an_alerted_operator("")
    assert messages() == []

    with transaction():
        operator = an_operator_id()
        link_chat(operator, "42")
        outbox.queue(operator, "A message.", now=NOON)
    assert telegram_sweep.sweep(worker="test") == 0


def an_operator_id() -> int:
    return db.session.scalars(select(User.id).where(User.is_staff)).one()


def test_an_operators_chat_is_linked_by_the_code_it_sends_also_a_group(app: Flask, client: FlaskClient) -> None:
    with bot_api(app) as api:
        operator, customer = an_operator(), a_customer()
        telegram_sweep.sweep(worker="test")
        logged_in(client, operator)
        typed = client.post("/office/alerts/telegram", data={"telegram_chat": "77"}).text
        code = re.search(r"/start@panel_test_bot ([\w-]+)", typed)
        assert code and chat_of(operator.id) == ""
        with transaction():
            theirs = links.begin(customer.id, now=utc_now())
        api.updates = [sent(1, "group", -5, f"/start {theirs}"), sent(2, "supergroup", -77, f"/start@x {code[1]}")]
        telegram_sweep.sweep(worker="test")
        telegram_sweep.sweep(worker="test")

        assert (chat_of(operator.id), chat_of(customer.id)) == ("-77", "")
        assert [body["chat_id"] for _path, body in api.calls] == [-77]
        assert "A chat is linked." in client.get("/office/alerts").text
        assert client.post("/office/alerts/telegram/end").status_code == 303
    assert chat_of(operator.id) == ""


def sent(number: int, kind: str, chat: int, text: str) -> dict[str, object]:
    return {"update_id": number, "message": {"chat": {"id": chat, "type": kind}, "text": text}}


def chat_of(user_id: int) -> str:
    db.session.rollback()
    return db.session.scalars(select(User.telegram_chat).where(User.id == user_id)).one()
