"""Vouchers: codes that add an amount to a balance. Only a code's hash is stored."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class Voucher(Base):
    """A voucher. Each redemption is a transfer, whose reason names voucher and customer; `used` counts them."""

    __tablename__ = "vouchers"
    __table_args__ = (
        CheckConstraint("amount_nanos > 0", name="amount_positive"),
        CheckConstraint("used BETWEEN 0 AND uses", name="used"),
        Index("ix_vouchers_made_by", "made_by", "made_at"),
        Index(
            "ix_vouchers_open",
            "id",
            sqlite_where=text("revoked_at IS NULL AND used < uses"),
            postgresql_where=text("revoked_at IS NULL AND used < uses"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    code_hash: Mapped[str] = mapped_column(unique=True)
    # The first signs of the code, so that a list can name it.
    starts_with: Mapped[str]
    note: Mapped[str]
    amount_nanos: Mapped[int]
    # How many customers can redeem it, and how many have.
    uses: Mapped[int]
    used: Mapped[int] = mapped_column(default=0, server_default="0")
    expires_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    # None: made from the command line.
    made_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    # Idempotency key of the form.
    form_key: Mapped[str] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]
