"""Tools that a provider delivers, with their current terms and what an operator set by hand."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from panel.db import db, table_of
from panel.domain import resale
from panel.models import Terms, Tool
from panel.services.catalogue.file_format import TermsWritten

TOOLS = table_of(Tool)
TERMS = table_of(Terms)


@dataclass(frozen=True)
class KnownTool:
    """A tool of this provider with its current terms."""

    tool: Any
    terms: TermsWritten
    version: int

    @property
    def by_hand(self) -> set[str]:
        return set(self.tool.set_by_hand.split())

    @property
    def is_imported(self) -> bool:
        """Whether it came from the provider's catalogue; other tools are an operator's own."""
        return self.tool.provider_rate_micros is not None

    @property
    def rate(self) -> int:
        """The provider's rate at the last import, in units of 10⁻¹⁸; rounded up if that import was an old one."""
        exact: str = self.tool.provider_rate
        return resale.read_rate(exact) if exact else self.tool.provider_rate_micros * resale.RATE_UNITS_A_MICRO


def of_provider(provider_id: int, *, services: Collection[str] | None = None) -> dict[str, KnownTool]:
    """The provider's tools, or those of these services, by service; of two with one service, the imported one."""
    statement = _ALL.where(TOOLS.c.provider_id == provider_id)
    if services is not None:
        statement = statement.where(TOOLS.c.provider_service.in_(services))
    statement = statement.order_by(TOOLS.c.provider_rate_micros.is_not(None), TOOLS.c.id)
    return {row.provider_service: _known(row) for row in db.session.execute(statement)}


def by_ids(tool_ids: Collection[int]) -> dict[int, KnownTool]:
    """These tools by id, of whatever provider."""
    return {row.id: _known(row) for row in db.session.execute(_ALL.where(TOOLS.c.id.in_(tool_ids)))}


_ALL: Select[*tuple[Any, ...]] = select(
    TOOLS, TERMS.c.version, *(TERMS.c[name] for name in TermsWritten.__slots__)
).join(TERMS, TERMS.c.id == TOOLS.c.terms_id)


def _known(row: Any) -> KnownTool:
    width = len(TOOLS.c)
    return KnownTool(row, TermsWritten(*row[width + 1 :]), row[width])
