"""Imports of providers' catalogues that operators start in the office, with what they changed."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from panel.db import Base
from panel.models.ledger import kind_label


class ImportState(StrEnum):
    """How far an import is. The worker moves on those that are asked, applying or undoing."""

    ASKED = "asked"
    READY = "ready"
    APPLYING = "applying"
    APPLIED = "applied"
    UNDOING = "undoing"
    UNDONE = "undone"
    FAILED = "failed"
    # Dropped by an operator, or displaced by a newer one, before it changed anything.
    DROPPED = "dropped"

    @property
    def is_worked_on(self) -> bool:
        return self in (ImportState.ASKED, ImportState.APPLYING, ImportState.UNDOING)


class CatalogueImport(Base):
    """An import: the catalogue as it was fetched, the rows that were chosen, and how far the worker is."""

    __tablename__ = "catalogue_imports"
    __table_args__ = (
        CheckConstraint(f"state IN ({kind_label(ImportState)})", name="state"),
        Index(
            "ix_catalogue_imports_due",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("providers.id"), index=True)
    state: Mapped[str]
    actor: Mapped[str]
    # Made by the schedule: only prices, limits and vanished tools follow.
    is_scheduled: Mapped[bool] = mapped_column(default=False, server_default=false())
    asked_at: Mapped[datetime]
    # When the worker goes on with it, or takes it over from a worker that died; None: nothing to do.
    due_at: Mapped[datetime | None]
    fetched_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    currency: Mapped[str] = mapped_column(default="", server_default="")
    # JSON: the rows that can be used, a sentence for each other one, and the chosen services. Empty once it ended.
    rows: Mapped[str] = mapped_column(default="", server_default="")
    skipped: Mapped[str] = mapped_column(default="", server_default="")
    chosen: Mapped[str] = mapped_column(default="", server_default="")
    # Why it failed.
    problem: Mapped[str] = mapped_column(default="", server_default="")
    # Progress: chosen services, or tools to restore, that are done.
    done: Mapped[int] = mapped_column(default=0, server_default="0")
    total: Mapped[int] = mapped_column(default=0, server_default="0")
    # Results: tools that were added, changed and hidden; and those that undoing left, because they were changed since.
    added: Mapped[int] = mapped_column(default=0, server_default="0")
    changed: Mapped[int] = mapped_column(default=0, server_default="0")
    hidden: Mapped[int] = mapped_column(default=0, server_default="0")
    left_alone: Mapped[int] = mapped_column(default=0, server_default="0")


class ImportedTool(Base):
    """A tool as it was before an import, for undoing it. Kept until the next import, or until it is undone."""

    __tablename__ = "imported_tools"
    __table_args__ = (UniqueConstraint("import_id", "tool_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("catalogue_imports.id"))
    tool_id: Mapped[int] = mapped_column(ForeignKey("tools.id"))
    # JSON of the columns that an import changes; empty if the import added the tool.
    was: Mapped[str]
    terms_id: Mapped[int | None]
    # The tool's `changed_at` after the import: one with another has been changed since.
    at: Mapped[datetime]
