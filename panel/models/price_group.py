"""Price groups: customers who pay less than the list price, or a price of their own for a tool."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class PriceGroup(Base):
    """A group of customers with a discount in hundredths of a percent; 0: only its fixed prices differ."""

    __tablename__ = "price_groups"
    __table_args__ = (CheckConstraint("discount_basis_points BETWEEN 0 AND 9999", name="discount"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    discount_basis_points: Mapped[int]
    created_at: Mapped[datetime]


class GroupPrice(Base):
    """A group's fixed price of a tool, which comes before the discount.

    `is_package`: what the price is of. It holds only while the tool is sold so.
    """

    __tablename__ = "group_prices"
    __table_args__ = (
        UniqueConstraint("group_id", "tool_id"),
        CheckConstraint("price_micros_per_thousand > 0", name="price_positive"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("price_groups.id"))
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"))
    price_micros_per_thousand: Mapped[int]
    is_package: Mapped[bool]


class GroupMember(Base):
    """The price group of a customer; without a row the customer pays list prices."""

    __tablename__ = "group_members"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    group_id: Mapped[int] = mapped_column(ForeignKey("price_groups.id"), index=True)


class KnownPriceList(Base):
    """A price list from before it changed, which customers know until they are mailed about that."""

    __tablename__ = "known_price_lists"

    id: Mapped[int] = mapped_column(primary_key=True)
    # JSON, as `customer_prices.as_json` writes it.
    prices: Mapped[str]


class KnownPrices(Base):
    """The price list that a customer knew before it changed: one for all customers of a group."""

    __tablename__ = "known_prices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, autoincrement=False)
    list_id: Mapped[int] = mapped_column(ForeignKey("known_price_lists.id"), index=True)
