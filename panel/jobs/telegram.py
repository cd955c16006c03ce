"""Telegram sweep: sends due messages through the Bot API, with no open transaction during a call."""

import json
import time
from datetime import timedelta

import structlog

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import public_ip_rules
from panel.jobs.provider_calls import panel_settings
from panel.providers import egress
from panel.providers.egress import HttpAnswer, NotReached
from panel.services.alerts import telegram
from panel.services.alerts.telegram import LeasedMessage
from panel.settings import Settings

BOT_API = "https://api.telegram.org"
LEASE_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
TURN_SECONDS = 20.0
MAX_WAIT_SECONDS = 3_600
# The token or the chat is wrong, or the bot was blocked: sending it again changes nothing.
FINAL = frozenset({400, 401, 403, 404})

log = structlog.get_logger()


def sweep(*, worker: str) -> int:
    """Send due messages until none is left, one fails, or time is up. Returns the number tried."""
    settings, ends, count = panel_settings(), time.monotonic() + TURN_SECONDS, 0
    if not settings.telegram_token:
        return 0
    is_any = telegram.is_any_due(now=utc_now())
    db.session.rollback()
    while is_any and time.monotonic() < ends:
        with transaction():
            message = telegram.lease(lease_seconds=LEASE_SECONDS, now=utc_now())
        if message is None:
            break
        count += 1
        is_any = _serve(message, settings=settings)
    return count


def purge() -> int:
    """Delete old messages."""
    with transaction():
        return telegram.purge(now=utc_now())


def _serve(message: LeasedMessage, *, settings: Settings) -> bool:
    """Send one message and record the outcome. False when Telegram can't be reached or asks to wait."""
    body = json.dumps({"chat_id": int(message.chat), "text": message.text, "disable_web_page_preview": True})
    try:
        answer = egress.post(
            f"{BOT_API}/bot{settings.telegram_token}/sendMessage",
            body.encode(),
            headers={"Content-Type": "application/json"},
            timeout_seconds=TIMEOUT_SECONDS,
            test_hosts=public_ip_rules.read_pairs(settings.egress_test_hosts),
        )
    except NotReached as failure:
        # Its text names no address: the token is part of it.
        with transaction():
            telegram.note_failure(message, error=str(failure), now=utc_now())
        return False
    return _record(message, answer)


def _record(message: LeasedMessage, answer: HttpAnswer) -> bool:
    with transaction():
        if answer.status == 200:
            telegram.note_sent(message, now=utc_now())
            return True
        is_final, wait = answer.status in FINAL, _wait_asked(answer)
        telegram.note_failure(message, error=f"{answer.status}", is_final=is_final, wait=wait, now=utc_now())
    log.warning("telegram_not_sent", message=message.id, status=answer.status, is_final=is_final)
    return is_final


def _wait_asked(answer: HttpAnswer) -> timedelta | None:
    """How long Telegram asks to wait after too many messages, at most an hour; None if it doesn't say."""
    try:
        seconds = json.loads(answer.text)["parameters"]["retry_after"]
    except (ValueError, LookupError, TypeError):
        return None
    return timedelta(seconds=min(seconds, MAX_WAIT_SECONDS)) if isinstance(seconds, int) and seconds > 0 else None
