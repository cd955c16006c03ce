"""Users (customers and operators), login sessions, two-factor authentication, throttling."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, UniqueConstraint, literal_column, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.domain.accounts.roles import Role
from panel.models.ledger import kind_label


class User(Base):
    """A user account. `state_version` is bumped whenever anything shown on this user's pages changes."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(f"role IN ({kind_label(Role)})", name="role"),
        # The staff is few people among many customers.
        Index(
            "ix_users_staff",
            "role",
            sqlite_where=text("role <> 'customer'"),
            postgresql_where=text("role <> 'customer'"),
        ),
        # PostgreSQL finds emails that begin with a text by bytes alone.
        Index("ix_users_email_bytes", "email", postgresql_ops={"email": "text_pattern_ops"}),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    # When the email address was confirmed. Before that no notifications are sent to it.
    email_confirmed_at: Mapped[datetime | None]
    # Notification kinds the user has turned off, separated by spaces.
    notices_off: Mapped[str] = mapped_column(default="", server_default="")
    # Kinds of alerts that this operator turned off.
    alerts_off: Mapped[str] = mapped_column(default="", server_default="")
    # The number of the person's Telegram chat, and since when it refuses messages of our bot.
    telegram_chat: Mapped[str] = mapped_column(default="", server_default="")
    telegram_blocked_at: Mapped[datetime | None]
    # Notification kinds that are not sent there.
    telegram_off: Mapped[str] = mapped_column(default="", server_default="")
    # When the last mail about orders was queued: orders that end soon after are combined in the next one.
    noticed_at: Mapped[datetime | None]
    password_hash: Mapped[str]
    # A `Role`: customer, or the role in the office.
    role: Mapped[str] = mapped_column(default=Role.CUSTOMER.value, server_default=Role.CUSTOMER.value)
    # Encrypted TOTP secret; empty without two-factor authentication.
    encrypted_totp: Mapped[str] = mapped_column(default="", server_default="")
    # Time step of the last accepted code: this code and earlier ones are rejected (replay protection).
    totp_step: Mapped[int] = mapped_column(default=0, server_default="0")
    state_version: Mapped[int] = mapped_column(default=1)
    # Since when and why an operator has disabled the account; running orders continue.
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime]
    # When the account was closed: its email and sessions are deleted, its orders and ledger entries stay.
    closed_at: Mapped[datetime | None]

    @hybrid_property
    def is_staff(self) -> bool:
        """Whether the account opens the office; also an SQL expression."""
        return self.role != Role.CUSTOMER

    @is_staff.inplace.expression
    @classmethod
    def _is_staff_expression(cls) -> ColumnElement[bool]:
        # A literal: readers of SQLite without the session know only the parameters that they are given.
        return cls.role != literal_column(f"'{Role.CUSTOMER}'")


class LoginSession(Base):
    """A login session on one device. The cookie holds the token, we store its hash; `ended_at` logs it out."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    device: Mapped[str]
    network: Mapped[str]
    logged_in_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # When this session passed two-factor authentication, which the office requires.
    second_factor_at: Mapped[datetime | None]


class PendingSession(Base):
    """A log-in with a correct password that still waits for the two-factor code. It opens nothing else."""

    __tablename__ = "pending_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    at: Mapped[datetime]


class RecoveryCode(Base):
    """A single-use recovery code; only its hash is stored."""

    __tablename__ = "recovery_codes"
    __table_args__ = (UniqueConstraint("user_id", "code_hash"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    code_hash: Mapped[str]
    used_at: Mapped[datetime | None]


class ThrottleHit(Base):
    """A counted attempt (wrong password or code, requested mail, sign-up) in a bucket."""

    __tablename__ = "failed_tries"

    id: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)
