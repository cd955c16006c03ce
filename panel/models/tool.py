"""What the panel sells: tools, their versioned terms, and the providers that deliver."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, Base


class Provider(Base):
    """Who delivers: an upstream panel, operators by hand, or the simulator."""

    __tablename__ = "providers"
    __table_args__ = (CheckConstraint("kind IN ('panel_api', 'manual', 'simulated')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    url: Mapped[str] = mapped_column(default="")
    sealed_key: Mapped[str] = mapped_column(default="")
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str] = mapped_column(default="")
    # The breaker: calls that failed in a row, and when the next one may go out.
    failures: Mapped[int] = mapped_column(default=0)
    call_after: Mapped[datetime | None]
    # Orders in a row that it neither took nor refused clearly, and when the next one may go out after too many.
    unclear_adds: Mapped[int] = mapped_column(default=0, server_default="0")
    add_after: Mapped[datetime | None]
    created_at: Mapped[datetime]
    # How customers' pages call it; empty: by a name that says nothing about who it is.
    public_name: Mapped[str] = mapped_column(default="", server_default="")
    # Noted at most once a minute.
    answered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(default="", server_default="")
    # Our balance there, as the provider wrote it when a job last asked; `balance_due_at`: when one asks again.
    balance: Mapped[str] = mapped_column(default="", server_default="")
    balance_at: Mapped[datetime | None]
    balance_problem: Mapped[str] = mapped_column(default="", server_default="")
    balance_due_at: Mapped[datetime | None]
    # How the last import of its catalogue made prices: the currency it named, what one of that is worth in ours, and
    # the margin; None where nothing was imported, or before these were kept.
    catalogue_currency: Mapped[str] = mapped_column(default="", server_default="")
    exchange_nanos: Mapped[int | None]
    margin_millionths: Mapped[int | None]


class Tool(Base):
    """One thing a customer can order. Its terms are rows of their own; `terms_id` names the present ones."""

    __tablename__ = "tools"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    category: Mapped[str]
    summary: Mapped[str]
    unit: Mapped[str]
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    provider_service: Mapped[str]
    # No foreign key: terms name their tool, and a circle of keys can't be made in one step on SQLite.
    terms_id: Mapped[int | None]
    is_hidden: Mapped[bool] = mapped_column(default=False)
    # Where the tool came from a provider's catalogue: the rate it had there, and the names of the fields
    # that an operator has set by hand since, separated by spaces; an import leaves those as they are.
    provider_rate_micros: Mapped[int | None]
    set_by_hand: Mapped[str] = mapped_column(default="", server_default="")
    # What that catalogue last called it, whatever an operator calls it here.
    provider_name: Mapped[str] = mapped_column(default="", server_default="")
    provider_category: Mapped[str] = mapped_column(default="", server_default="")
    changed_at: Mapped[datetime]


class Terms(Base):
    """A tool's name, price, limits, link rule, refill and cancel rules, as of a version. Never changed."""

    __tablename__ = "terms"
    __table_args__ = (
        UniqueConstraint("tool_id", "version"),
        CheckConstraint("price_micros_per_thousand > 0", name="price_positive"),
        CheckConstraint("minimum > 0 AND minimum <= maximum", name="limits"),
        {"info": {APPEND_ONLY: True}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"))
    version: Mapped[int]
    price_micros_per_thousand: Mapped[int]
    minimum: Mapped[int]
    maximum: Mapped[int]
    link_pattern: Mapped[str]
    link_example: Mapped[str]
    link_counter_example: Mapped[str]
    link_hint: Mapped[str]
    refill_days: Mapped[int | None]
    can_cancel: Mapped[bool]
    since: Mapped[datetime]
    # What the tool was called: an order is shown under the words that it was bought under.
    name: Mapped[str] = mapped_column(default="", server_default="")
    category: Mapped[str] = mapped_column(default="", server_default="")
    unit: Mapped[str] = mapped_column(default="", server_default="")


class Catalogue(Base):
    """One row: its version is bumped whenever a tool or its terms change, so that open pages notice."""

    __tablename__ = "catalogue"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
