"""A row of a provider's catalogue as a tool of ours: slug, words, form and terms."""

import re
import unicodedata
from datetime import datetime
from typing import Any

from panel.domain import resale
from panel.domain.forms import drip_feed, order_types
from panel.domain.forms.order_form import OrderForm, QuantityRule
from panel.domain.forms.own_fields import form_of
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports.known_tools import KnownTool
from panel.services.catalogue.provider_rows import ProviderRow

# The API only says whether there is a refill: this is its window until an operator sets another.
REFILL_DAYS = 30
LINK_PATTERN = r"https?://\S+"
LINK_EXAMPLE = "https://example.com/page"
LINK_COUNTER_EXAMPLE = "example.com/page"
LINK_HINT = "Copy the whole address of a public page."
UNIT = "pieces"
MAX_SLUG_LENGTH = 48


def form_of_row(row: ProviderRow, present: KnownTool | None) -> OrderForm:
    """The form that the tool has after this import: the provider's type, or what an operator set."""
    if present is not None and "form" in present.by_hand:
        return present.terms.form
    return form_of(row.order_type, *_own_form(row))


def _own_form(row: ProviderRow) -> tuple[str, str]:
    """Quantity rule and own fields: of drip-feed where the provider offers it too, else the order type's own."""
    if row.has_drip_feed and row.order_type == order_types.DEFAULT:
        return QuantityRule.BY_QUANTITY, drip_feed.FIELDS
    return "", ""


def new_tool(row: ProviderRow, slug: str, *, provider_id: int, now: datetime) -> dict[str, Any]:
    return {
        "slug": slug,
        **words(row),
        "provider_name": row.name,
        "provider_category": row.category,
        "unit": UNIT,
        "provider_id": provider_id,
        "provider_service": row.service,
        "is_hidden": False,
        "provider_rate_micros": row.rate_micros,
        "provider_rate": resale.plain_rate(row.rate),
        "set_by_hand": "",
        "changed_at": now,
    }


def words(row: ProviderRow) -> dict[str, str]:
    return {"name": row.name, "category": row.category, "summary": f"{row.name}, in {row.category}."}


def terms(row: ProviderRow, *, price: int) -> TermsWritten:
    quantity_rule, own_fields = _own_form(row)
    return TermsWritten(
        price_micros_per_thousand=price,
        minimum=row.minimum,
        maximum=row.maximum,
        link_pattern=LINK_PATTERN,
        link_example=LINK_EXAMPLE,
        link_counter_example=LINK_COUNTER_EXAMPLE,
        link_hint=LINK_HINT,
        refill_days=REFILL_DAYS if row.has_refill else None,
        can_cancel=row.can_cancel,
        order_type=row.order_type,
        quantity_rule=quantity_rule,
        own_fields=own_fields,
    )


def free_slug(row: ProviderRow, *, taken: set[str]) -> str:
    """Slug from the name and the service id, with a number added if it is taken."""
    plain = unicodedata.normalize("NFKD", row.name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "service"
    ending = f"-{row.service}"
    slug = words[: MAX_SLUG_LENGTH - len(ending)].strip("-") + ending
    number = 2
    while (numbered := slug if number == 2 else f"{slug}-{number - 1}") in taken:
        number += 1
    return numbered
