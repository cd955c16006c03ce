"""The site's Telegram bot: its name, which links to it need, and how far its updates are read."""

import hashlib
from datetime import datetime, timedelta

from panel.db import db
from panel.models import TelegramBot

ASKED_AGAIN_AFTER = timedelta(minutes=1)


def name_of(token: str) -> str:
    """The user name of the bot with this token; empty if it isn't known, or without a token."""
    found = _current(token) if token else None
    return "" if found is None else found.username


def may_call(token: str, *, now: datetime) -> bool:
    """Whether the last failed call was long enough ago."""
    found = _current(token)
    return found is None or found.call_after is None or found.call_after <= now


def note_name(token: str, username: str) -> None:
    """Store the name, and read the updates from the beginning."""
    _replace(token, username=username, call_after=None)


def note_failure(token: str, *, now: datetime) -> None:
    found = _current(token)
    if found is None:
        _replace(token, username="", call_after=now + ASKED_AGAIN_AFTER)
    else:
        found.call_after = now + ASKED_AGAIN_AFTER
    db.session.flush()


def next_update(token: str) -> int:
    """The number of the first update that was not read."""
    found = _current(token)
    return 0 if found is None else found.next_update


def note_read(token: str, next_update: int) -> None:
    found = _current(token)
    if found is not None:
        found.next_update = next_update
        db.session.flush()


def _current(token: str) -> TelegramBot | None:
    found = db.session.get(TelegramBot, 1, populate_existing=True)
    return found if found is not None and found.token_hash == _hash(token) else None


def _replace(token: str, *, username: str, call_after: datetime | None) -> None:
    values = {"token_hash": _hash(token), "username": username, "next_update": 0, "call_after": call_after}
    db.session.merge(TelegramBot(id=1, **values))
    db.session.flush()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
