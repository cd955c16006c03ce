"""People: customers and operators, and the devices they are signed in on."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base


class User(Base):
    """Someone with an account. `state_version` is bumped whenever something this person's pages show changes."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    # When the person showed that mail to this address reaches them. Until then no notices go there.
    email_confirmed_at: Mapped[datetime | None]
    # The kinds of notices this person does not want, separated by spaces.
    notices_off: Mapped[str] = mapped_column(default="", server_default="")
    # When the last mail about orders was queued: what ends soon after goes together into the next.
    noticed_at: Mapped[datetime | None]
    password_hash: Mapped[str]
    is_operator: Mapped[bool] = mapped_column(default=False)
    # The secret of the second factor, sealed; empty while there is none.
    sealed_totp: Mapped[str] = mapped_column(default="", server_default="")
    # The step of time whose code was used last: that code, and every one before it, is used up.
    totp_step: Mapped[int] = mapped_column(default=0, server_default="0")
    state_version: Mapped[int] = mapped_column(default=1)
    # Since when, and why, an operator keeps this person out; what runs already goes on.
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime]
    # When the account was closed: its email and its devices are gone by then, its orders and its money's lines stay.
    closed_at: Mapped[datetime | None]


class LoginSession(Base):
    """A login session on one device. The cookie holds the token, we store its hash; `ended_at` logs it out."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    device: Mapped[str]
    network: Mapped[str]
    signed_in_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # When this device showed the second factor; operators' pages ask for it.
    second_factor_at: Mapped[datetime | None]


class PendingSession(Base):
    """A right password whose second factor is yet to be shown. It opens nothing but the page that asks for the code."""

    __tablename__ = "half_sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]


class RecoveryCode(Base):
    """A code that stands in for the second factor, once. We hold its hash."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None]


class ThrottleHit(Base):
    """One try that is counted: a wrong password or code, a mail asked for, a sign-up. The bucket says whose."""

    __tablename__ = "failed_tries"

    id: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)
