"""People: customers and operators, and the devices they are signed in on."""

from datetime import datetime

from sqlalchemy import ForeignKey
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
    sealed_totp: Mapped[str] = mapped_column(default="")
    state_version: Mapped[int] = mapped_column(default=1)
    # Since when, and why, an operator keeps this person out; what runs already goes on.
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime]


class SignIn(Base):
    """One signed-in device. The cookie holds the token, we hold its hash; ending it here ends it at once."""

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


class FailedTry(Base):
    """One failed log-in, counted by account and by network."""

    __tablename__ = "failed_tries"

    id: Mapped[int] = mapped_column(primary_key=True)
    bucket: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
