"""Daily sums over all customers, so that reports of a month read days, not orders or transfers."""

from datetime import date

from sqlalchemy import Date, Index
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class ProfitSumColumns:
    """Sums over orders. Each amount has two columns, units and the rest in nanos: 64 bits are few for a day's nanos."""

    orders: Mapped[int]
    # Orders whose cost no provider named, and below their revenue and the quantity that the provider charges for.
    unknown: Mapped[int]
    revenue_units: Mapped[int]
    revenue_nanos: Mapped[int]
    returned_units: Mapped[int]
    returned_nanos: Mapped[int]
    cost_units: Mapped[int]
    cost_nanos: Mapped[int]
    unknown_revenue_units: Mapped[int]
    unknown_revenue_nanos: Mapped[int]
    unknown_quantity_units: Mapped[int]
    unknown_quantity_nanos: Mapped[int]


class ProfitDay(ProfitSumColumns, Base):
    """Sums of the orders placed on one day (UTC) with one tool at one service of a provider; without test orders."""

    __tablename__ = "profit_days"
    __table_args__ = ({"sqlite_with_rowid": False},)

    day: Mapped[date] = mapped_column(Date(), primary_key=True)
    tool_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    provider_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    provider_service: Mapped[str] = mapped_column(primary_key=True)
    is_package: Mapped[bool] = mapped_column(primary_key=True)


class ProfitChange(ProfitSumColumns, Base):
    """Change of a day's sums by an order or its cost. Triggers write it; the worker moves it there."""

    __tablename__ = "profit_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(Date())
    tool_id: Mapped[int]
    provider_id: Mapped[int]
    provider_service: Mapped[str]
    is_package: Mapped[bool]


class LedgerDay(Base):
    """Sums of one day's (UTC) transfers of one kind between two kinds of accounts, up to the largest `last_id` of all.

    The worker continues them with transfers that are an hour old: on PostgreSQL rows may appear out of the order of
    their ids. `is_test`: of test orders, which the office's ledger leaves out.
    """

    __tablename__ = "ledger_days"
    __table_args__ = (Index("ix_ledger_days_last_id", "last_id"), {"sqlite_with_rowid": False})

    day: Mapped[date] = mapped_column(Date(), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    is_test: Mapped[bool] = mapped_column(primary_key=True)
    lines: Mapped[int]
    amount_units: Mapped[int]
    amount_nanos: Mapped[int]
    # The smallest and the largest id of these transfers.
    first_id: Mapped[int]
    last_id: Mapped[int]
