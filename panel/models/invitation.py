"""Invitations to the office: mailed single-use links that make an account with a role."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.accounts.roles import STAFF_ROLES

_ROLES = ", ".join(f"'{role}'" for role in STAFF_ROLES)


class Invitation(Base):
    """An invitation. Only the hash of its token is stored. `user_id`: the account that was made with it."""

    __tablename__ = "invitations"
    __table_args__ = (CheckConstraint(f"role IN ({_ROLES})", name="role"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(index=True)
    # A `Role` of the staff.
    role: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # When it was used, withdrawn or replaced by a newer one.
    ended_at: Mapped[datetime | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
