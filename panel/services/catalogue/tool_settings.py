"""Manual settings of a tool, which imports leave unchanged from then on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from panel.db import db, lock_rows
from panel.domain import pricing
from panel.domain.errors import BadInput, BadMoney, NotFound
from panel.models import Catalogue, Tool
from panel.services import audit_log
from panel.services.catalogue import file_format, tools
from panel.services.catalogue.file_format import TermsWritten

WORDS = ("name", "category", "summary")
TERMS = ("price_per_thousand", "minimum", "maximum", "refill_days", "cancel")
FIELDS = (*TERMS, *WORDS, "hidden")


def set_field(slug: str, field: str, text: str, *, actor: str, now: datetime) -> None:
    """Set a field of a tool; a field of its terms creates a new version. Raises NotFound or BadInput."""
    if field not in FIELDS:
        raise BadInput(f"The field must be one of {', '.join(FIELDS)}.", field="field")
    tool = lock_tool(slug)
    if field in TERMS:
        present = tools.find_any(slug)
        assert present is not None, "a tool has terms"
        written = changed_terms(tools.terms_of(present), {field: text})
        if written != tools.terms_of(present):
            tool.terms_id = tools.next_terms(tool.id, written, now=now)
    elif field == "hidden":
        tool.is_hidden = read_truth(text, field)
    else:
        setattr(tool, field, read_line(text, field))
        if field in tools.TERMS_WORDS:
            present = tools.find_any(slug)
            assert present is not None, "a tool has terms"
            tool.terms_id = tools.next_terms(tool.id, tools.terms_of(present), now=now)
    tool.set_by_hand = " ".join(sorted({*tool.set_by_hand.split(), field}))
    record_change(tool, "tools set", f"{field}={text[:100]}", actor=actor, now=now)


def leave_to_import(slug: str, field: str, *, actor: str, now: datetime) -> None:
    """Let the next import update this field again. Raises NotFound or BadInput."""
    tool = lock_tool(slug)
    by_hand = set(tool.set_by_hand.split())
    if field not in by_hand:
        raise BadInput(f"The field {field} of {slug} was not set by hand.", field="field")
    tool.set_by_hand = " ".join(sorted(by_hand - {field}))
    record_change(tool, "tools unset", field, actor=actor, now=now)


def lock_tool(slug: str) -> Tool:
    """The tool, with the catalogue locked until the transaction ends. Raises NotFound."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    tool = db.session.scalar(select(Tool).where(Tool.slug == slug))
    if tool is None:
        raise NotFound(f"There is no tool {slug}.")
    return tool


def record_change(tool: Tool, action: str, detail: str, *, actor: str, now: datetime) -> None:
    """Bump the catalogue's version, which ends cached pages, and write the change to the audit log."""
    tool.changed_at = now
    db.session.flush()
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    audit_log.write(action, actor=actor, subject=f"tool {tool.slug}", detail=detail[:1_000], now=now)


def changed_terms(terms: TermsWritten, texts: Mapping[str, str]) -> TermsWritten:
    """The terms with these fields of TERMS set, as an operator writes them. Raises BadInput about a field."""
    readers: Any = {"refill_days": read_days, "cancel": read_truth}
    columns: dict[str, Any] = {}
    for field, text in texts.items():
        if field == "price_per_thousand":
            columns["price_micros_per_thousand"] = read_price(text, field, is_package=terms.is_package)
        else:
            column = {"cancel": "can_cancel"}.get(field, field)
            columns[column] = readers.get(field, read_pieces)(text, field)
    changed, last = replace(terms, **columns), next(reversed([*texts]))
    if changed.is_package and changed.maximum != 1:
        raise BadInput("A package is ordered one at a time: its minimum and maximum are 1.", field=last)
    if changed.minimum > changed.maximum:
        raise BadInput(f"The minimum {changed.minimum} would be above the maximum {changed.maximum}.", field=last)
    return changed


def read_price(text: str, field: str, *, is_package: bool) -> int:
    """The price per thousand, given for a thousand or for one package. Raises BadInput about the field."""
    try:
        return pricing.parse_price(text, is_package=is_package)
    except BadMoney as error:
        raise BadInput(error.message, field=field) from error


def read_pieces(text: str, field: str) -> int:
    """A limit of one order. Raises BadInput about the field."""
    pieces = pricing.parse_quantity(text)
    if not 0 < pieces <= pricing.MAX_QUANTITY:
        raise BadInput(f"The {field} must be from 1 to {pricing.MAX_QUANTITY:,}.", field=field)
    return pieces


def read_days(text: str, field: str) -> int | None:
    """The days of refill, or None for `none`. Raises BadInput about the field."""
    if text == "none":
        return None
    days = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 0 < days <= file_format.MAX_REFILL_DAYS:
        raise BadInput(f"Write the days from 1 to {file_format.MAX_REFILL_DAYS:,}, or none.", field=field)
    return days


def read_truth(text: str, field: str) -> bool:
    """`true` or `false`. Raises BadInput about the field."""
    if text not in ("true", "false"):
        raise BadInput(f"Write true or false for {field}.", field=field)
    return text == "true"


def read_line(text: str, field: str) -> str:
    """One line that fits the field, as `catalogue_files.LENGTHS` has it. Raises BadInput about the field."""
    line, most = text.strip(), file_format.LENGTHS[field]
    if not line or not line.isprintable() or len(line) > most:
        raise BadInput(f"Write one line of 1 to {most} characters.", field=field)
    return line
