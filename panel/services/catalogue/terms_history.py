"""Terms history: every version of a tool's terms, with the moment from which it held."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select

from panel.db import db
from panel.models import Terms
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.tools import TERMS_COLUMNS


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """One version of a tool's terms, with the moment from which it held."""

    terms_id: int
    version: int
    since: datetime
    name: str
    terms: TermsWritten


def terms_log(tool_id: int) -> list[TermsVersion]:
    """Every version of the tool's terms, newest first."""
    statement: Select[*tuple[Any, ...]] = select(
        Terms.id, Terms.version, Terms.since, Terms.name, *TERMS_COLUMNS
    ).where(Terms.tool_id == tool_id)
    rows = db.session.execute(statement.order_by(Terms.version.desc()))
    return [TermsVersion(row[0], row[1], row[2], row[3], TermsWritten(*row[4:])) for row in rows]
