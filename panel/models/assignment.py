"""Order assignments: which operator works on which manual order."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class OrderAssignment(Base):
    """An operator's time-limited assignment to a manual order; one per order."""

    __tablename__ = "order_assignments"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    assigned_at: Mapped[datetime]
    until: Mapped[datetime]
