"""Ledger: accounts, transfers, and changes that wait for approval."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, literal_column, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import APPEND_ONLY, SUMS_DAYS, Base
from panel.domain.accounts.roles import Role


class AccountKind(StrEnum):
    CUSTOMER = "customer"
    HOLDS = "holds"
    SALES = "sales"
    DEPOSITS = "deposits"
    ADJUSTMENTS = "adjustments"


class TransferKind(StrEnum):
    """Kind of transfer. Those that settle an order happen at most once per order."""

    CHARGE = "charge"
    KEEP = "keep"
    RETURN = "return"
    DEPOSIT = "deposit"
    ADJUSTMENT = "adjustment"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    TransferKind.CHARGE: "Charged",
    TransferKind.KEEP: "Kept",
    TransferKind.RETURN: "Returned",
    TransferKind.DEPOSIT: "Added",
    TransferKind.ADJUSTMENT: "Adjusted",
}

SETTLING_KINDS = (TransferKind.CHARGE, TransferKind.KEEP, TransferKind.RETURN)


def kind_label(enum: type[StrEnum]) -> str:
    """The enum's values as an SQL list, without parentheses."""
    return ", ".join(f"'{value}'" for value in enum)


class Account(Base):
    """A ledger account: one per customer, and four house accounts. Only customers' balances are stored."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("balance_nanos >= 0", name="balance_not_negative"),
        CheckConstraint(f"kind IN ({kind_label(AccountKind)})", name="kind"),
        CheckConstraint("(kind = 'customer') = (user_id IS NOT NULL)", name="owner"),
        CheckConstraint("(kind = 'customer') = (balance_nanos IS NOT NULL)", name="cache"),
        Index(
            "uq_accounts_house",
            "kind",
            unique=True,
            sqlite_where=text("user_id IS NULL"),
            postgresql_where=text("user_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), unique=True)
    balance_nanos: Mapped[int | None]
    # The hash of the customer's newest transfer; empty for house accounts, which have no chain.
    chain_hash: Mapped[str] = mapped_column(default="", server_default="")


class Transfer(Base):
    """A transfer between two accounts. Append-only: triggers reject UPDATE and DELETE on both engines."""

    __tablename__ = "transfers"
    __table_args__ = (
        CheckConstraint("amount_nanos > 0", name="amount_positive"),
        CheckConstraint("from_account_id <> to_account_id", name="two_accounts"),
        CheckConstraint(f"kind IN ({kind_label(TransferKind)})", name="kind"),
        Index("ix_transfers_from", "from_account_id", "id"),
        Index("ix_transfers_to", "to_account_id", "id"),
        Index("ix_transfers_at", "at"),
        Index(
            "uq_transfers_settling",
            "order_id",
            "kind",
            unique=True,
            sqlite_where=text("kind IN ('charge', 'keep', 'return')"),
            postgresql_where=text("kind IN ('charge', 'keep', 'return')"),
        ),
        Index(
            "ix_transfers_adjustments",
            "order_id",
            sqlite_where=text("kind = 'adjustment'"),
            postgresql_where=text("kind = 'adjustment'"),
        ),
        {"sqlite_autoincrement": True, "info": {APPEND_ONLY: True, SUMS_DAYS: ("sum_days",)}},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    from_account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    to_account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount_nanos: Mapped[int]
    kind: Mapped[str]
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"))
    reason: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str] = mapped_column(default="")
    at: Mapped[datetime]
    # Covers this row and the one before it of the same customer (`domain/chain.py`).
    chain_hash: Mapped[str] = mapped_column(default="", server_default="")


class AccountDay(Base):
    """Sums of a customer's account on one day (UTC). A trigger on `transfers` keeps them, in the same transaction."""

    __tablename__ = "account_days"
    __table_args__ = (
        CheckConstraint("entries > 0", name="entries"),
        # Beyond 64 bits SQLite would go on with inexact numbers.
        CheckConstraint("in_nanos BETWEEN 0 AND 9000000000000000000", name="in_nanos"),
        CheckConstraint("out_nanos BETWEEN 0 AND 9000000000000000000", name="out_nanos"),
        {"sqlite_with_rowid": False},
    )

    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True, autoincrement=False)
    day: Mapped[date] = mapped_column(Date(), primary_key=True)
    entries: Mapped[int]
    in_nanos: Mapped[int]
    out_nanos: Mapped[int]
    # The smallest and the largest id of the day's transfers.
    first_id: Mapped[int]
    last_id: Mapped[int]


class CheckpointKind(StrEnum):
    TRANSFERS = "transfers"
    EVENTS = "events"
    ACCOUNT = "account"


class ChainCheckpoint(Base):
    """Up to where the hash chains were verified: a row for each of the two tables, and one for each account.

    `digest`: over all rows of the table up to `up_to_id`; for an account, the hash of its newest one of these.
    """

    __tablename__ = "chain_checkpoints"
    __table_args__ = (CheckConstraint(f"kind IN ({kind_label(CheckpointKind)})", name="kind"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    # The account; 0 for a whole table.
    chain_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    up_to_id: Mapped[int]
    digest: Mapped[str]
    # When all rows from the first on were last verified.
    from_start_at: Mapped[datetime | None]
    # Since when something differs: each audit then verifies from the first row on, until nothing does.
    broken_at: Mapped[datetime | None]


class AuditProgress(Base):
    """An audit that is being made, or was stopped: `state` is where it is and what it has found, as JSON."""

    __tablename__ = "audit_progress"

    id: Mapped[int] = mapped_column(primary_key=True)
    # What is audited from where: only the same is resumed.
    kind: Mapped[str]
    # Machine and number of the process whose run it is.
    owner: Mapped[str]
    state: Mapped[str]
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]


# Literals, as in the partial indexes: with bound parameters SQLite would not use these indexes.
IS_SETTLING = Transfer.kind.in_([literal_column(f"'{kind}'") for kind in ("charge", "keep", "return")])
IS_ADJUSTMENT = Transfer.kind == literal_column("'adjustment'")


class UnapprovedTransfer(Base):
    """A manual transfer made without approval; it counts toward the approval limit for 24 hours."""

    __tablename__ = "unapproved_transfers"
    __table_args__ = (
        CheckConstraint("amount_nanos > 0", name="amount_positive"),
        Index("ix_unapproved_transfers_customer", "customer_id", "at"),
        Index("ix_unapproved_transfers_operator", "operator_id", "at"),
    )

    transfer_id: Mapped[int] = mapped_column(ForeignKey("transfers.id"), primary_key=True, autoincrement=False)
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    # None: made from the command line.
    operator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    amount_nanos: Mapped[int]
    at: Mapped[datetime]


class ProposalKind(StrEnum):
    """Kind of change that needs a second operator: money above the limit, a higher limit, access to the office."""

    CREDIT = "credit"
    DEBIT = "debit"
    DEPOSIT = "deposit"
    DISABLE = "disable"
    ENABLE = "enable"
    # A role in the office; the stored name is older than the roles.
    GIVE_ROLE = "make_operator"
    MAKE_CUSTOMER = "make_customer"
    APPROVAL_LIMIT = "approval_limit"

    @property
    def label(self) -> str:
        return _PROPOSAL_LABELS[self]

    @property
    def is_money(self) -> bool:
        return self in MONEY_KINDS


_PROPOSAL_LABELS = {
    ProposalKind.CREDIT: "Credit",
    ProposalKind.DEBIT: "Debit",
    ProposalKind.DEPOSIT: "Deposit",
    ProposalKind.DISABLE: "Disable the account",
    ProposalKind.ENABLE: "Enable the account",
    ProposalKind.GIVE_ROLE: "Change the role",
    ProposalKind.MAKE_CUSTOMER: "Change the role to customer",
    ProposalKind.APPROVAL_LIMIT: "Raise the approval limit",
}
MONEY_KINDS = (ProposalKind.CREDIT, ProposalKind.DEBIT, ProposalKind.DEPOSIT)


class ProposalState(StrEnum):
    OPEN = "open"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    EXPIRED = "expired"


_IS_OPEN = text("state = 'open'")


class Proposal(Base):
    """A proposed change, made only when another operator than its author approves it.

    `customer_id`: whose account it is about, also when that is an operator's; of a limit, its author.
    `amount_nanos`: the money, or the limit; 0 for all others.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        CheckConstraint("amount_nanos >= 0", name="amount_not_negative"),
        CheckConstraint(
            "(kind IN ('credit', 'debit', 'deposit', 'approval_limit')) = (amount_nanos > 0)", name="amount"
        ),
        CheckConstraint(f"kind IN ({kind_label(ProposalKind)})", name="kind"),
        CheckConstraint(f"state IN ({kind_label(ProposalState)})", name="state"),
        CheckConstraint("decided_by IS NULL OR decided_by <> proposed_by", name="two_operators"),
        CheckConstraint("(kind = 'deposit') = (deposit_id IS NOT NULL)", name="deposit"),
        Index("ix_proposals_open", "id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        Index("uq_proposals_deposit", "deposit_id", unique=True, sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    customer_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    amount_nanos: Mapped[int]
    reason: Mapped[str]
    # Idempotency key of the form.
    form_key: Mapped[str] = mapped_column(unique=True)
    deposit_id: Mapped[int | None] = mapped_column(ForeignKey("deposits.id"))
    proposed_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    # Who decided, as named in the audit log; the only name if it was done on the command line.
    decider: Mapped[str] = mapped_column(default="", server_default="")
    answer: Mapped[str] = mapped_column(default="")
    transfer_id: Mapped[int | None] = mapped_column(ForeignKey("transfers.id"))
    # The role that GIVE_ROLE gives; empty for all other kinds.
    role: Mapped[str] = mapped_column(default="", server_default="")

    @property
    def label(self) -> str:
        """Label of the proposal, with the role that it gives."""
        label = ProposalKind(self.kind).label
        return f"{label} to {Role(self.role).label.lower()}" if self.role else label


# A literal, as in the partial index.
IS_OPEN_PROPOSAL = Proposal.state == literal_column("'open'")
