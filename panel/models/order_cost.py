"""What providers charged for orders."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class OrderCost(Base):
    """The charge of an order's provider, from its newest `status` answer that names one."""

    __tablename__ = "order_costs"
    __table_args__ = (CheckConstraint("charge_nanos >= 0", name="charge"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True, autoincrement=False)
    # In the provider's currency; `exchange_nanos` is what one of it was worth in ours, None if that wasn't known.
    charge_nanos: Mapped[int]
    currency: Mapped[str]
    exchange_nanos: Mapped[int | None]
    # In our currency; None without an exchange rate.
    cost_nanos: Mapped[int | None]
    at: Mapped[datetime]
