"""Announcements to customers and visitors."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.announcements import Audience
from panel.models.ledger import kind_label


class Announcement(Base):
    """An announcement: a draft until it is published; withdrawn, it is no longer shown."""

    __tablename__ = "announcements"
    __table_args__ = (
        CheckConstraint(f"audience IN ({kind_label(Audience)})", name="audience"),
        Index(
            "ix_announcements_public",
            "published_at",
            "id",
            sqlite_where=text("published_at IS NOT NULL AND withdrawn_at IS NULL"),
            postgresql_where=text("published_at IS NOT NULL AND withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    text: Mapped[str]
    audience: Mapped[str]
    # Shown as a banner on pages of its audience.
    is_pinned: Mapped[bool]
    version: Mapped[int] = mapped_column(default=1)
    made_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    # While its mails are being queued: the last customer who got one. None: no mails, or all are queued.
    mailed_up_to: Mapped[int | None]
