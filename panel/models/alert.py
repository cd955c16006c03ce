"""Alerts of operators."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.alerts import AlertKind
from panel.models.ledger import kind_label


class Alert(Base):
    """The state of one kind of alert: since when it is true, when operators were last notified, and of how many."""

    __tablename__ = "alerts"
    __table_args__ = (CheckConstraint(f"kind IN ({kind_label(AlertKind)})", name="kind"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    began_at: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]
    notified_count: Mapped[int]
