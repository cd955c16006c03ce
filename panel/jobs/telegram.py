"""Telegram sweep: links chats that send their code to the bot, and sends due messages through the Bot API.

No transaction is open during a call.
"""

import json
import time
from datetime import timedelta
from typing import Any

import structlog

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.network import public_ip_rules
from panel.jobs.provider_calls import panel_settings
from panel.providers import egress
from panel.providers.egress import HttpResponse, NotReached
from panel.services.telegram import bot, links, outbox
from panel.services.telegram.outbox import LeasedMessage
from panel.settings import Settings

BOT_API = "https://api.telegram.org"
LEASE_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
TURN_SECONDS = 20.0
MAX_WAIT_SECONDS = 3_600
# The chat is wrong, or the bot was blocked: sending it again changes nothing. A token that Telegram refuses (401, 404)
# concerns every message, and can be put right: they wait.
FINAL = frozenset({400, 403})
# The person blocked the bot or deleted the chat.
BLOCKED = 403
# An update can hold two texts of 4,096 characters, each written as six.
UPDATES_AT_ONCE = 5
PRIVATE = "private"
CHAT_TYPES = frozenset({PRIVATE, "group", "supergroup"})
MAX_ANSWER_SIGNS = 500_000

log = structlog.get_logger()


def sweep(*, worker: str) -> int:
    """Link chats, then send due messages until none is left, one fails, or time is up.

    Returns the number tried, and one more while a chat may be linked: the pacer can't see what is sent to the bot.
    """
    settings, ends, count = panel_settings(), time.monotonic() + TURN_SECONDS, 0
    if not settings.telegram_token:
        return 0
    is_linking = _link_chats(settings)
    is_any = outbox.is_any_due(now=utc_now())
    db.session.rollback()
    while is_any and time.monotonic() < ends:
        with transaction():
            message = outbox.lease(lease_seconds=LEASE_SECONDS, now=utc_now())
        if message is None:
            break
        count += 1
        is_any = _serve(message, settings=settings)
    return count + is_linking


def purge() -> int:
    """Delete old messages and codes."""
    with transaction():
        return outbox.purge(now=utc_now()) + links.purge(now=utc_now())


def _link_chats(settings: Settings) -> bool:
    """Ask for the bot's name once; while somebody links a chat, read what was sent to the bot. Whether they do."""
    token, now = settings.telegram_token, utc_now()
    name, is_pending = bot.name_of(token), links.is_any_pending(now=now)
    may_call, first = bot.may_call(token, now=now), bot.next_update(token)
    db.session.rollback()
    if not may_call or (name and not is_pending):
        return is_pending
    try:
        if not name:
            name = str(_result(settings, "getMe", {})["username"])
            with transaction():
                bot.note_name(token, name)
        elif is_pending:
            asked = {"offset": first, "limit": UPDATES_AT_ONCE, "allowed_updates": ["message"]}
            _read_updates(token, _result(settings, "getUpdates", asked))
    except (NotReached, ValueError, LookupError, TypeError) as failure:
        log.warning("telegram_not_read", why=type(failure).__name__)
        with transaction():
            bot.note_failure(token, now=utc_now())
    return is_pending


def _read_updates(token: str, updates: Any) -> None:
    """Link each chat that sent a current code, and remember what was read in the same transaction."""
    for update in updates:
        number, message = int(update["update_id"]), update.get("message") or {}
        chat = message.get("chat") or {}
        with transaction():
            kind = chat.get("type")
            if kind in CHAT_TYPES and isinstance(message.get("text"), str):
                links.link_chat(message["text"], int(chat["id"]), is_private=kind == PRIVATE, now=utc_now())
            bot.note_read(token, number + 1)


def _result(settings: Settings, method: str, body: dict[str, Any]) -> Any:
    """The result of a call of the Bot API. Raises NotReached, ValueError or LookupError for any other answer."""
    answer = _call(settings, method, body, kept_signs=MAX_ANSWER_SIGNS)
    if answer.status != 200:
        raise ValueError(answer.status)
    return json.loads(answer.text)["result"]


def _call(
    settings: Settings, method: str, body: dict[str, Any], *, kept_signs: int = egress.KEPT_SIGNS
) -> HttpResponse:
    return egress.post(
        f"{BOT_API}/bot{settings.telegram_token}/{method}",
        json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        timeout_seconds=TIMEOUT_SECONDS,
        test_hosts=public_ip_rules.read_pairs(settings.egress_test_hosts),
        kept_signs=kept_signs,
    )


def _serve(message: LeasedMessage, *, settings: Settings) -> bool:
    """Send one message and record the outcome. False when Telegram can't be reached, asks to wait, or refuses us."""
    body = {"chat_id": int(message.chat), "text": message.text, "disable_web_page_preview": True}
    try:
        answer = _call(settings, "sendMessage", body)
    except NotReached as failure:
        # Its text names no address: the token is part of it.
        with transaction():
            outbox.note_failure(message, error=str(failure), now=utc_now())
        return False
    return _record(message, answer)


def _record(message: LeasedMessage, answer: HttpResponse) -> bool:
    with transaction():
        if answer.status == 200:
            outbox.note_sent(message, now=utc_now())
            return True
        is_final, wait = answer.status in FINAL, _wait_asked(answer)
        outbox.note_failure(message, error=f"{answer.status}", is_final=is_final, wait=wait, now=utc_now())
        if answer.status == BLOCKED:
            outbox.note_blocked(message, now=utc_now())
    log.warning("telegram_not_sent", message=message.id, status=answer.status, is_final=is_final)
    return is_final


def _wait_asked(answer: HttpResponse) -> timedelta | None:
    """How long Telegram asks to wait after too many messages, at most an hour; None if it doesn't say."""
    try:
        seconds = json.loads(answer.text)["parameters"]["retry_after"]
    except (ValueError, LookupError, TypeError):
        return None
    return timedelta(seconds=min(seconds, MAX_WAIT_SECONDS)) if isinstance(seconds, int) and seconds > 0 else None
