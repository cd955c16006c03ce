"""Changes by a planned row of an import, in words for the preview."""

from panel.domain import formatting, pricing
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.planning import PlannedRow

_WORDS = {"name": "Name", "category": "Category"}


def price(planned: PlannedRow) -> str:
    """Old and new price, or the price of a new tool; empty where it stays."""
    if planned.price is not None:
        return planned.price.words
    if planned.kind != RowKind.ADDED or planned.terms is None:
        return ""
    terms = planned.terms[2]
    rate = pricing.plain_rate(terms.price_micros_per_thousand, is_package=terms.is_package)
    return f"{rate} per package" if terms.is_package else f"{rate} per 1,000"


def changes(planned: PlannedRow) -> list[str]:
    """The other changes, in words."""
    tool = None if planned.present is None else planned.present.tool
    if planned.kind == RowKind.VANISHED:
        return ["It is hidden until the provider has it again."]
    if planned.kind == RowKind.REPLACED and tool is not None:
        was = f"It was {tool.provider_name} in {tool.provider_category}."
        return [was, "Its tool is hidden, and a review is opened.", *([f"Also, {planned.why}."] if planned.why else [])]
    if planned.why:
        return [f"{planned.why[0].upper()}{planned.why[1:]}."]
    if planned.kind == RowKind.ADDED and planned.terms is not None:
        return [_limits(planned.terms[2])]
    found = _of_words(planned) + _of_terms(planned)
    if planned.kind == RowKind.RETURNED:
        found.insert(0, "It is shown again.")
    if tool is not None and tool.is_hidden and planned.kind != RowKind.RETURNED:
        found.append("The tool stays hidden.")
    if not found and not planned.price and planned.change is not None:
        found.append("Only what is kept of the provider’s catalogue.")
    return found


def _of_words(planned: PlannedRow) -> list[str]:
    if planned.present is None or planned.change is None:
        return []
    tool, change = planned.present.tool, planned.change
    named = [(label, getattr(tool, name), change[name]) for name, label in _WORDS.items()]
    return [f"{label}: {old} → {new}" for label, old, new in named if old != new]


def _of_terms(planned: PlannedRow) -> list[str]:
    if planned.present is None or planned.terms is None:
        return []
    old, new = _facts(planned.present.terms), _facts(planned.terms[2])
    return [f"{label}: {old[label]} → {text}" for label, text in new.items() if old[label] != text]


def _facts(terms: TermsWritten) -> dict[str, str]:
    return {
        "Minimum": formatting.count(terms.minimum),
        "Maximum": formatting.count(terms.maximum),
        "Refill": "no" if terms.refill_days is None else f"{terms.refill_days} days",
        "Cancel": "yes" if terms.can_cancel else "no",
        "Type": terms.order_type,
    }


def _limits(terms: TermsWritten) -> str:
    if terms.is_package:
        return "One package"
    return f"{formatting.count(terms.minimum)}–{formatting.count(terms.maximum)}"
