"""Maintenance: ordering is closed for a while."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class Maintenance(Base):
    """Why ordering is closed, and until when. A single row, id 1, which exists only while ordering is closed."""

    __tablename__ = "maintenance"

    id: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str]
    began_at: Mapped[datetime]
    ends_at: Mapped[datetime]
