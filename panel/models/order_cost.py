"""Costs of orders: the providers' charges."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import SUMS_DAYS, Base


class ProviderCharge:
    """Columns of a charge that a provider named."""

    # In the provider's currency; `exchange_nanos` is what one of it was worth in ours, None if that wasn't known.
    charge_nanos: Mapped[int]
    currency: Mapped[str]
    exchange_nanos: Mapped[int | None]
    # In our currency; None without an exchange rate.
    cost_nanos: Mapped[int | None]
    at: Mapped[datetime]


class OrderCost(ProviderCharge, Base):
    """The charge of an order's provider, from its newest `status` answer that names one.

    Of a drip-feed order the sum of its runs, once each of them that was sent has a charge and no other will be sent.
    """

    __tablename__ = "order_costs"
    __table_args__ = (
        CheckConstraint("charge_nanos >= 0", name="charge"),
        {"info": {SUMS_DAYS: ("profit_insert", "profit_update", "profit_delete")}},
    )

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True, autoincrement=False)


class RunCost(ProviderCharge, Base):
    """The same for one run of a drip-feed order."""

    __tablename__ = "run_costs"
    __table_args__ = (CheckConstraint("charge_nanos >= 0", name="charge"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("order_runs.id"), primary_key=True, autoincrement=False)
