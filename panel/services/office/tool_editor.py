"""Tool editor: validates each field, shows old and new values, and saves new terms.

A form names the version it was opened on. If the tool has changed since, its current values are shown instead.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain import links
from panel.domain.errors import ActionRefused, BadCatalogue, BadInput, StaleForm
from panel.domain.forms import order_types
from panel.models import Catalogue, Provider, Tool
from panel.services import audit_log, test_orders
from panel.services.catalogue import file_format, tool_settings, tools
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.tools import ToolOffer
from panel.services.office.tool_editing import tool_form

LINK = ("pattern", "example", "counter_example", "hint")
WORDS = ("name", "category", "summary", "unit", "provider_service")
# Every field of the form, with the word for it.
LABELS = {
    "name": "Name",
    "category": "Category",
    "summary": "Summary",
    "unit": "What is delivered",
    "provider": "Provider",
    "provider_service": "Service at the provider",
    "order_type": "Type",
    "quantity_rule": "How the quantity comes about",
    "own_fields": "Own fields",
    "price_per_thousand": "Price per 1,000",
    "minimum": "Minimum order",
    "maximum": "Maximum order",
    "refill_days": "Refill period in days, or none",
    "cancel": "Cancel",
    "link_pattern": "Link: pattern",
    "link_example": "Link: good example",
    "link_counter_example": "Link: bad example",
    "link_hint": "Link: hint",
    "hidden": "Hidden",
}
# By which word an import knows that a field was set by hand, where that is not the field's own name.
_BY_HAND = {f"link_{name}": "link" for name in LINK} | dict.fromkeys(tool_form.COLUMNS, "form")
_FOLLOWED = frozenset(tools.ALL_BY_HAND.split()) | {"hidden"}
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
# Addresses of the office's own.
_TAKEN_SLUGS = ("new",)


class BadTool(BadInput):
    """Invalid input for a tool, with a message for each field."""

    code = "bad_tool"

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(next(iter(errors.values())))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Draft:
    """Parsed form input for a tool."""

    words: dict[str, str]
    provider_id: int
    is_hidden: bool
    terms: TermsWritten

    @property
    def minimum_charge_nanos(self) -> int:
        """Charge of the minimum order."""
        return self.terms.minimum * self.terms.price_micros_per_thousand


@dataclass(frozen=True, slots=True)
class Change:
    """Old and new value of one field."""

    field: str
    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class ToolPreview:
    """Changes that saving would make, with the charge of the minimum order before and after."""

    changes: tuple[Change, ...]
    has_new_terms: bool
    minimum_before_nanos: int
    minimum_after_nanos: int


def typed_of(tool: ToolOffer) -> dict[str, str]:
    """The tool as form field values."""
    return {
        **{name: getattr(tool, name) for name in WORDS},
        "provider": tool.provider_name,
        **{name: getattr(tool, name) for name in tool_form.COLUMNS},
        "price_per_thousand": tool.rate,
        "minimum": str(tool.minimum),
        "maximum": str(tool.maximum),
        "refill_days": "none" if tool.refill_days is None else str(tool.refill_days),
        "cancel": _word(tool.can_cancel),
        **{f"link_{name}": getattr(tool, f"link_{name}") for name in LINK},
        "hidden": _word(tool.is_hidden),
    }


def blank() -> dict[str, str]:
    """Form field values of a new tool."""
    return dict.fromkeys(LABELS, "") | {
        "order_type": order_types.DEFAULT,
        "refill_days": "none",
        "cancel": "false",
        "hidden": "true",
    }


def read(typed: Mapping[str, str]) -> Draft:
    """Parse and validate the form. Raises BadTool with a message for each invalid field."""
    errors: dict[str, str] = {}
    found: dict[str, Any] = {}

    def take(field: str, reader: Callable[[str, str], Any], name: str = "") -> None:
        try:
            found[field] = reader(typed.get(field, "").strip(), name or field)
        except BadInput as error:
            errors[field] = error.message

    for field in WORDS:
        take(field, tool_settings.read_line)
    form = tool_form.read(typed, errors)
    is_package = form is not None and form.is_package
    take("price_per_thousand", partial(tool_settings.read_price, is_package=is_package))
    take("minimum", tool_settings.read_pieces)
    take("maximum", tool_settings.read_pieces)
    take("refill_days", tool_settings.read_days)
    take("cancel", tool_settings.read_truth)
    take("hidden", tool_settings.read_truth)
    take("provider", _provider_id)
    for field in LINK:
        take(f"link_{field}", tool_settings.read_line, f"link.{field}")
    if "minimum" in found and "maximum" in found and found["minimum"] > found["maximum"]:
        errors["maximum"] = f"The maximum {found['maximum']} is below the minimum {found['minimum']}."
    if is_package and {found.get("minimum", 1), found.get("maximum", 1)} != {1}:
        errors["maximum"] = "A package is ordered one at a time: its minimum and maximum are 1."
    if not any(field.startswith("link_") for field in errors):
        errors |= _faults_of_rule(found)
    if errors or form is None:
        raise BadTool({field: errors[field] for field in LABELS if field in errors})
    terms = TermsWritten(
        price_micros_per_thousand=found["price_per_thousand"],
        minimum=found["minimum"],
        maximum=found["maximum"],
        refill_days=found["refill_days"],
        can_cancel=found["cancel"],
        **tool_form.columns(form),
        **{f"link_{field}": found[f"link_{field}"] for field in LINK},
    )
    return Draft({field: found[field] for field in WORDS}, found["provider"], found["hidden"], terms)


def _provider_id(text: str, field: str) -> int:
    is_ours = text in test_orders.OWN_PROVIDERS
    found = None if is_ours else db.session.scalar(select(Provider.id).where(Provider.name == text))
    if found is None:
        raise BadInput("Choose a provider from the list.", field=field)
    return found


def _faults_of_rule(found: Mapping[str, Any]) -> dict[str, str]:
    """Faults of the link rule as a whole: the example must match, the counterexample must not."""
    try:
        links.check_rule(**{field: found[f"link_{field}"] for field in LINK})
    except BadCatalogue as error:
        field, _, sentence = error.message.removeprefix("link.").partition(" ")
        return {f"link_{field}": f"The {field.replace('_', '-')} {sentence}"}
    return {}


def preview(tool: ToolOffer, typed: Mapping[str, str]) -> ToolPreview:
    """Changes that saving would make. Raises BadTool."""
    draft = read(typed)
    old, new = typed_of(tool), _as_typed(draft)
    differing = [field for field in LABELS if old[field] != new[field]]
    changes = tuple(Change(field, LABELS[field], old[field], new[field]) for field in differing)
    has_new_terms = draft.terms != tools.terms_of(tool) or bool(tools.TERMS_WORDS & set(differing))
    return ToolPreview(changes, has_new_terms, tool.minimum_charge_nanos, draft.minimum_charge_nanos)


def _as_typed(draft: Draft) -> dict[str, str]:
    """Parsed values as form field values: `0.9` and `0.90` are the same price."""
    terms = draft.terms
    return {
        **draft.words,
        "provider": db.session.get_one(Provider, draft.provider_id).name,
        **{name: getattr(terms, name) for name in tool_form.COLUMNS},
        "price_per_thousand": terms.rate,
        "minimum": str(terms.minimum),
        "maximum": str(terms.maximum),
        "refill_days": "none" if terms.refill_days is None else str(terms.refill_days),
        "cancel": _word(terms.can_cancel),
        **{f"link_{name}": getattr(terms, f"link_{name}") for name in LINK},
        "hidden": _word(draft.is_hidden),
    }


def _word(truth: bool) -> str:
    return "true" if truth else "false"


def version_of(tool: ToolOffer) -> str:
    """Version that a form was opened on: changes with any change of the tool."""
    return f"{tool.terms_id}.{tool.changed_at:%Y%m%d%H%M%S%f}"


def save(slug: str, typed: Mapping[str, str], *, version: str, reason: str, actor: str, now: datetime) -> ToolPreview:
    """Save the tool and its next terms version. Raises NotFound, BadTool, BadInput, Refused or StaleForm."""
    reason = audit_log.checked_reason(reason)
    tool = tool_settings.lock_tool(slug)
    present = tools.find_any(slug)
    assert present is not None, "a tool has terms"
    if version_of(present) != version:
        raise StaleForm("The tool was changed since you opened it. Nothing was saved. This is what it is now.")
    did, draft = preview(present, typed), read(typed)
    if not did.changes:
        raise ActionRefused("Nothing differs from what the tool is now. Nothing was saved.")
    for field, text in draft.words.items():
        setattr(tool, field, text)
    tool.provider_id, tool.is_hidden = draft.provider_id, draft.is_hidden
    if did.has_new_terms:
        tool.terms_id = tools.next_terms(tool.id, draft.terms, now=now)
    by_hand = {_BY_HAND.get(change.field, change.field) for change in did.changes} & _FOLLOWED
    tool.set_by_hand = " ".join(sorted({*tool.set_by_hand.split(), *by_hand}))
    fields = ", ".join(f"{change.field}={change.new[:60]}" for change in did.changes)
    tool_settings.record_change(tool, "tools edit", f"{reason} ({fields})", actor=actor, now=now)
    return did


def add(slug: str, typed: Mapping[str, str], *, reason: str, actor: str, now: datetime) -> Tool:
    """Create a tool. Raises BadTool, BadInput, or Refused for a slug in use."""
    reason = audit_log.checked_reason(reason)
    check_new(slug, typed)
    draft = read(typed)
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    if db.session.scalar(select(Tool.id).where(Tool.slug == slug)) is not None:
        raise ActionRefused(f"There is already a tool {slug}.", field="slug")
    tool = Tool(slug=slug, provider_id=draft.provider_id, is_hidden=draft.is_hidden, changed_at=now, **draft.words)
    db.session.add(tool)
    db.session.flush()
    tool.terms_id = tools.next_terms(tool.id, draft.terms, now=now)
    tool_settings.record_change(tool, "tools add", reason, actor=actor, now=now)
    return tool


def check_new(slug: str, typed: Mapping[str, str]) -> Draft:
    """Parse and validate the form of a new tool. Raises BadTool, also for its slug."""
    errors: dict[str, str] = {}
    if not _SLUG.fullmatch(slug) or len(slug) > file_format.LENGTHS["slug"] or slug in _TAKEN_SLUGS:
        errors["slug"] = "Write lower-case letters and digits, with single hyphens between words."
    elif db.session.scalar(select(Tool.id).where(Tool.slug == slug)) is not None:
        errors["slug"] = f"There is already a tool {slug}."
    try:
        draft = read(typed)
    except BadTool as error:
        raise BadTool(errors | error.errors) from None
    if errors:
        raise BadTool(errors)
    return draft


def show_or_hide(slug: str, *, is_hidden: bool, reason: str, actor: str, now: datetime) -> None:
    """Show or hide the tool; its orders go on. Raises NotFound, BadInput, or Refused if it is so already."""
    reason = audit_log.checked_reason(reason)
    tool = tool_settings.lock_tool(slug)
    if tool.is_hidden == is_hidden:
        raise ActionRefused(f"The tool {slug} is {'hidden' if is_hidden else 'shown'} already.")
    tool.is_hidden = is_hidden
    tool.set_by_hand = " ".join(sorted({*tool.set_by_hand.split(), "hidden"}))
    tool_settings.record_change(tool, "tools hide" if is_hidden else "tools show", reason, actor=actor, now=now)


def by_hand(slug: str) -> list[str]:
    """Fields of the tool that an import does not change."""
    return (db.session.scalar(select(Tool.set_by_hand).where(Tool.slug == slug)) or "").split()
