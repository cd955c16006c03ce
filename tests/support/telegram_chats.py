"""Telegram chats of accounts, as they are once they are linked."""

from sqlalchemy import update

from panel.db import db
from panel.models import User


def link_chat(user_id: int, chat: str) -> None:
    """Link this chat to the account, within a transaction; an empty text unlinks it."""
    db.session.execute(update(User).where(User.id == user_id).values(telegram_chat=chat, telegram_blocked_at=None))
