"""Check that an account isn't closed, for every change of an account, while its row is locked."""

from collections.abc import Collection

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import ActionRefused
from panel.models import User


def check_open(user_ids: Collection[int]) -> None:
    """Raises Refused if one of these accounts is closed."""
    closed = select(User.id).where(User.id.in_(user_ids), User.closed_at.is_not(None)).limit(1)
    if db.session.scalar(closed) is not None:
        raise ActionRefused("This account is closed. Nothing was changed.")
