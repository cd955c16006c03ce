"""Tools that a provider delivers, with their current terms and what an operator set by hand."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

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


def of_provider(provider_id: int) -> dict[str, KnownTool]:
    """The provider's tools by their service there; of two with one service, the imported one."""
    columns = [TERMS.c[name] for name in TermsWritten.__slots__]
    statement = (
        select(TOOLS, TERMS.c.version, *columns)
        .join(TERMS, TERMS.c.id == TOOLS.c.terms_id)
        .where(TOOLS.c.provider_id == provider_id)
        .order_by(TOOLS.c.provider_rate_micros.is_not(None), TOOLS.c.id)
    )
    width = len(TOOLS.c)
    return {
        row.provider_service: KnownTool(row, TermsWritten(*row[width + 1 :]), row[width])
        for row in db.session.execute(statement)
    }
