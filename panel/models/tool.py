"""Catalogue: tools, their versioned terms, and providers."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, Base
from panel.domain.forms.order_form import QuantityRule
from panel.domain.forms.with_form import WithForm
from panel.domain.provider_kind import ProviderKind
from panel.models.ledger import kind_label


class Provider(Base):
    """A provider: an upstream panel, manual work by operators, or the simulator."""

    __tablename__ = "providers"
    __table_args__ = (CheckConstraint(f"kind IN ({kind_label(ProviderKind)})", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    url: Mapped[str] = mapped_column(default="")
    encrypted_key: Mapped[str] = mapped_column(default="")
    paused_at: Mapped[datetime | None]
    pause_reason: Mapped[str] = mapped_column(default="")
    # Circuit breaker: consecutive failed calls, and the time of the next allowed call.
    failures: Mapped[int] = mapped_column(default=0)
    call_after: Mapped[datetime | None]
    # Consecutive unclear `add` calls, and when the next order may be sent after too many.
    unclear_adds: Mapped[int] = mapped_column(default=0, server_default="0")
    add_after: Mapped[datetime | None]
    # How many orders may be on their way to it at the same time, and how many status requests, over all workers.
    calls_at_once: Mapped[int] = mapped_column(default=8, server_default="8")
    created_at: Mapped[datetime]
    # Public name on customers' pages; empty: a neutral one.
    public_name: Mapped[str] = mapped_column(default="", server_default="")
    # Updated at most once a minute.
    answered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(default="", server_default="")
    # Our balance there in the provider's own text, from the last balance sweep; `balance_due_at`: the next one.
    balance: Mapped[str] = mapped_column(default="", server_default="")
    balance_at: Mapped[datetime | None]
    balance_problem: Mapped[str] = mapped_column(default="", server_default="")
    balance_due_at: Mapped[datetime | None]
    # Below this balance, in the provider's own currency, operators are alerted; None: never.
    balance_low_nanos: Mapped[int | None]
    # How the last import of its catalogue made prices: the currency it named, what one of that is worth in ours, and
    # the margin; None where nothing was imported, or before these were kept.
    catalogue_currency: Mapped[str] = mapped_column(default="", server_default="")
    exchange_nanos: Mapped[int | None]
    margin_millionths: Mapped[int | None]
    # Price rules beside the margin, in micros of ours for a thousand or a package: a fixed sum on top, the step that
    # prices are rounded up to, and the lowest price.
    fixed_micros: Mapped[int] = mapped_column(default=0, server_default="0")
    step_micros: Mapped[int] = mapped_column(default=1, server_default="1")
    floor_micros: Mapped[int] = mapped_column(default=0, server_default="0")
    # Every how many hours its catalogue is imported, and when next; None: only when an operator does it.
    import_hours: Mapped[int | None]
    import_due_at: Mapped[datetime | None]


class CategoryMargin(Base):
    """Margin and fixed sum for one category of a provider's catalogue, instead of the provider's own."""

    __tablename__ = "category_margins"
    __table_args__ = (UniqueConstraint("provider_id", "category"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    # The category's name in the provider's catalogue.
    category: Mapped[str]
    margin_millionths: Mapped[int]
    fixed_micros: Mapped[int]


class CategoryPlace(Base):
    """The place of a category among those that operators have put in order, from 1."""

    __tablename__ = "category_places"

    id: Mapped[int] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(unique=True)
    place: Mapped[int]


class Tool(Base):
    """A tool that customers can order; `terms_id` points to its current terms."""

    __tablename__ = "tools"
    __table_args__ = (Index("ix_tools_service", "provider_id", "provider_service"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    category: Mapped[str]
    summary: Mapped[str]
    unit: Mapped[str]
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    provider_service: Mapped[str]
    # No foreign key: terms refer to their tool, and SQLite can't create circular keys in one step.
    terms_id: Mapped[int | None]
    is_hidden: Mapped[bool] = mapped_column(default=False)
    # Where the tool came from a provider's catalogue: the rate it had there.
    provider_rate_micros: Mapped[int | None]
    # The same rate in all its digits, such as 0.0000001; empty where it was imported before this was kept.
    provider_rate: Mapped[str] = mapped_column(default="", server_default="")
    # Names of the fields that an operator has set by hand since, separated by spaces; imports leave those as they are.
    set_by_hand: Mapped[str] = mapped_column(default="", server_default="")
    # Its name in that catalogue at the last import, whatever it is called here.
    provider_name: Mapped[str] = mapped_column(default="", server_default="")
    provider_category: Mapped[str] = mapped_column(default="", server_default="")
    # Whether its orders try its providers by their cost, not in the order of the list.
    is_cheapest_first: Mapped[bool] = mapped_column(default=False, server_default=false())
    changed_at: Mapped[datetime]


class Terms(WithForm, Base):
    """One version of a tool's terms: name, price, limits, link rule, order form, refill and cancel. Append-only."""

    __tablename__ = "terms"
    __table_args__ = (
        UniqueConstraint("tool_id", "version"),
        CheckConstraint("price_micros_per_thousand > 0", name="price_positive"),
        CheckConstraint("minimum > 0 AND minimum <= maximum", name="limits"),
        CheckConstraint(f"quantity_rule IN ('', {kind_label(QuantityRule)})", name="quantity_rule"),
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
    # The tool's name in this version: orders keep the name they were bought under.
    name: Mapped[str] = mapped_column(default="", server_default="")
    category: Mapped[str] = mapped_column(default="", server_default="")
    unit: Mapped[str] = mapped_column(default="", server_default="")
    # The order form: its type in the API, and an own quantity rule and fields where the table of types has none.
    order_type: Mapped[str] = mapped_column(default="Default", server_default="Default")
    quantity_rule: Mapped[str] = mapped_column(default="", server_default="")
    own_fields: Mapped[str] = mapped_column(default="", server_default="")


class ToolRoute(Base):
    """A further provider of a tool, which gets the orders that the ones before it proved not to have."""

    __tablename__ = "tool_routes"
    __table_args__ = (UniqueConstraint("tool_id", "provider_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"))
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"))
    # The service's number there, and its price for a thousand or a package in the provider's currency, where known.
    service: Mapped[str]
    rate_micros: Mapped[int | None]
    position: Mapped[int]


class Catalogue(Base):
    """A single row whose version changes with every tool or terms change, to invalidate pages."""

    __tablename__ = "catalogue"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    # The version whose tools were last announced by webhook; None before the first time.
    announced_version: Mapped[int | None]


class ListedTool(Base):
    """A tool as the API's `services` listed it when changes were last announced by webhook."""

    __tablename__ = "listed_tools"

    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"), primary_key=True, autoincrement=False)
    # JSON, without the measured time.
    entry: Mapped[str]


class MailedTerms(Base):
    """The terms of a tool that customers who use it know, and those that a running round of mails is about."""

    __tablename__ = "mailed_terms"

    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"), primary_key=True, autoincrement=False)
    terms_id: Mapped[int] = mapped_column(ForeignKey("terms.id"))
    is_hidden: Mapped[bool]
    # None while no mails about this tool are being queued.
    new_terms_id: Mapped[int | None] = mapped_column(ForeignKey("terms.id"))
    new_is_hidden: Mapped[bool | None]


class TermsRound(Base):
    """A single row: the round of mails about changed terms, of which there is one a day at most."""

    __tablename__ = "terms_rounds"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    # The catalogue's version that was compared last.
    seen_version: Mapped[int]
    # When a change was first noticed that no round is about yet.
    noticed_at: Mapped[datetime | None]
    # While mails are being queued: the last customer who was looked at.
    mailed_up_to: Mapped[int | None]
    ended_at: Mapped[datetime | None]


RETIREMENT = '{"retired": "yes"}'


class ScheduledTerms(Base):
    """A change of a tool's terms that takes effect later: pending until it is applied, canceled or impossible.

    Its retirement is one too: the tool is hidden then.
    """

    __tablename__ = "scheduled_terms"
    __table_args__ = (
        Index(
            "uq_scheduled_terms_pending",
            "tool_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"), index=True)
    # JSON: the changed fields and their values, as an operator writes them; RETIREMENT for the tool's retirement.
    changes: Mapped[str]
    effective_at: Mapped[datetime]
    reason: Mapped[str]
    actor: Mapped[str]
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # The terms it became; None where it was canceled or impossible.
    terms_id: Mapped[int | None] = mapped_column(ForeignKey("terms.id"))
    # Why it could not be applied; empty otherwise.
    problem: Mapped[str] = mapped_column(default="", server_default="")
    # The rounds of mails that announced it, and that withdrew it.
    announced_round: Mapped[int | None]
    withdrawn_round: Mapped[int | None]

    @property
    def is_retirement(self) -> bool:
        return self.changes == RETIREMENT
