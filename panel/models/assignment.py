"""The office: which operator works on which order by hand."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class OrderAssignment(Base):
    """An operator who works on an order by hand, until a time; one for each order."""

    __tablename__ = "claims"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    operator_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    claimed_at: Mapped[datetime]
    until: Mapped[datetime]
