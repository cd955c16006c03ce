"""Import of a provider's services as tools: new ones are added, changed rates and limits become new terms.

What an operator edited stays as it is. A tool missing from the provider's list is hidden until it returns. The list is
fetched before the transaction, so that no network call happens inside it.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain import money, pricing, resale
from panel.domain.errors import ActionRefused
from panel.domain.forms import drip_feed, order_types
from panel.domain.forms.order_form import OrderForm, QuantityRule
from panel.domain.forms.own_fields import form_of
from panel.domain.review_kind import ReviewKind
from panel.models import Catalogue, Provider, Tool
from panel.services import reviews
from panel.services.catalogue import import_writing, provider_markup, provider_rows
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports import known_tools
from panel.services.catalogue.imports.known_tools import KnownTool
from panel.services.catalogue.provider_markup import Markup, PriceChange
from panel.services.catalogue.provider_rows import ProviderRow
from panel.services.catalogue.tools import TERMS_WORDS

# The API only says whether there is a refill: this is its window until an operator sets another.
REFILL_DAYS = 30
LINK_PATTERN = r"https?://\S+"
LINK_EXAMPLE = "https://example.com/page"
LINK_COUNTER_EXAMPLE = "example.com/page"
LINK_HINT = "Copy the whole address of a public page."
UNIT = "pieces"
MAX_SLUG_LENGTH = 48
MOVED_PARTS = 5


@dataclass
class Import:
    """Result of an import: slugs by what was done, and a message for every row that could not be used."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    prices: list[PriceChange] = field(default_factory=list)


def import_services(
    provider: Provider,
    answer: list[object],
    *,
    markup: Markup,
    may_fall: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
    now: datetime,
) -> Import:
    """Import the provider's services. Raises Refused if no row is usable.

    Raises PricesWouldFall if many prices would fall, unless that is allowed (`may_fall`).
    """
    rows, skipped = provider_rows.read(answer)
    if not rows:
        raise ActionRefused("The provider's catalogue has no service that can be sold. Nothing was changed.")
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    did = Import(skipped=skipped)
    known = known_tools.of_provider(provider.id)
    followed = sum(each.tool.provider_rate_micros is not None for each in known.values())
    slugs = set(db.session.scalars(select(Tool.slug)))
    new: list[dict[str, Any]] = []
    terms: list[tuple[str, int, TermsWritten]] = []
    changes: list[dict[str, Any]] = []
    for row in rows:
        present = known.pop(row.service, None)
        form = _form_of(row, present)
        price = pricing.price_of_rate(markup.price_micros(row.rate, row.category), is_package=form.is_package)
        if not resale.is_sellable(price, is_package=form.is_package):
            did.skipped.append(f"Service {row.service} was skipped: its price is more than can be charged here.")
        elif present is None:
            slug = _slug(row, taken=slugs)
            slugs.add(slug)
            did.added.append(slug)
            new.append(_new_tool(row, slug, provider_id=provider.id, now=now))
            terms.append((slug, 1, _terms(row, price=price)))
        elif present.tool.provider_rate_micros is None:
            did.skipped.append(f"Service {row.service} was skipped: an operator sells it as {present.tool.slug}.")
        else:
            _follow(present, row, price=price, did=did, terms=terms, changes=changes, now=now)
    for gone in known.values():
        _hide(gone, did=did, changes=changes)
    if not may_fall:
        provider_markup.check_falls(did.prices, followed=followed)
    provider_markup.remember(provider, markup)
    import_writing.write(new, terms, changes, on_progress=on_progress, now=now)
    return did


def _form_of(row: ProviderRow, present: KnownTool | None) -> OrderForm:
    """The form that the tool has after this import: the provider's type, or what an operator set."""
    if present is not None and "form" in present.by_hand:
        return present.terms.form
    return form_of(row.order_type, *_own_form(row))


def _own_form(row: ProviderRow) -> tuple[str, str]:
    """Quantity rule and own fields: of drip-feed where the provider offers it too, else the order type's own."""
    if row.has_drip_feed and row.order_type == order_types.DEFAULT:
        return QuantityRule.BY_QUANTITY, drip_feed.FIELDS
    return "", ""


def _new_tool(row: ProviderRow, slug: str, *, provider_id: int, now: datetime) -> dict[str, Any]:
    return {
        "slug": slug,
        **_words(row),
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


def _words(row: ProviderRow) -> dict[str, str]:
    return {"name": row.name, "category": row.category, "summary": f"{row.name}, in {row.category}."}


def _terms(row: ProviderRow, *, price: int) -> TermsWritten:
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


_BY_HAND = {
    "price_per_thousand": ("price_micros_per_thousand",),
    "minimum": ("minimum",),
    "maximum": ("maximum",),
    "refill_days": ("refill_days",),
    "cancel": ("can_cancel",),
    "form": ("order_type", "quantity_rule", "own_fields"),
    "link": ("link_pattern", "link_example", "link_counter_example", "link_hint"),
}


def _follow(
    present: KnownTool,
    row: ProviderRow,
    *,
    price: int,
    did: Import,
    terms: list[tuple[str, int, TermsWritten]],
    changes: list[dict[str, Any]],
    now: datetime,
) -> None:
    """Update a known tool to the provider's current values, except for what an operator edited."""
    tool, slug = present.tool, present.tool.slug
    _alert(present, row, now=now)
    kept = {column for name in present.by_hand for column in _BY_HAND.get(name, ())}
    kept |= set(_BY_HAND["link"])
    wanted = asdict(_terms(row, price=price)) | {name: getattr(present.terms, name) for name in kept}
    if wanted["minimum"] > wanted["maximum"]:
        did.skipped.append(f"Service {row.service} was skipped: its limits do not fit those set by hand for {slug}.")
        return
    fields: dict[str, Any] = {name: value for name, value in _words(row).items() if name not in present.by_hand}
    fields |= {"provider_rate_micros": row.rate_micros, "provider_rate": resale.plain_rate(row.rate)}
    fields |= {"provider_name": row.name, "provider_category": row.category}
    if tool.is_hidden and "hidden" not in present.by_hand:
        fields["is_hidden"] = False
        did.returned.append(slug)
    old_price, new_price = present.terms.price_micros_per_thousand, wanted["price_micros_per_thousand"]
    if old_price != new_price:
        was_package, is_package = present.terms.is_package, TermsWritten(**wanted).is_package
        did.prices.append(PriceChange(slug, old_price, new_price, was_package, is_package))
    differs = {name: value for name, value in fields.items() if getattr(tool, name) != value}
    is_new = TermsWritten(**wanted) != present.terms or bool(differs.keys() & TERMS_WORDS)
    if is_new:
        terms.append((slug, present.version + 1, TermsWritten(**wanted)))
    (did.changed if differs or is_new else did.unchanged).append(slug)
    if differs or is_new:
        changes.append(import_writing.as_it_is(tool) | differs)


def _alert(present: KnownTool, row: ProviderRow, *, now: datetime) -> None:
    """Open a review if the service may have become another one, or if its rate has changed a lot."""
    tool, raw, was_type = present.tool, f"service={row.service}", present.terms.order_type
    if was_type != row.order_type:
        text = (
            f"Service {row.service}, sold as {tool.slug}, was of the type {was_type} and is now {row.order_type}. "
            "Check what its orders need and what it costs."
        )
        reviews.open_review(ReviewKind.SERVICE_CHANGED, provider_id=tool.provider_id, text=text, raw=raw, now=now)
    if tool.provider_name and tool.provider_name != row.name and tool.provider_category != row.category:
        text = (
            f"Service {row.service}, sold as {tool.slug}, was {tool.provider_name} in {tool.provider_category} "
            f"and is now {row.name} in {row.category}. It may be another service: check it, and hide the tool if it is."
        )
        reviews.open_review(ReviewKind.SERVICE_CHANGED, provider_id=tool.provider_id, text=text, raw=raw, now=now)
    was = tool.provider_rate_micros
    if abs(row.rate_micros - was) * MOVED_PARTS > was:
        old, new = money.plain_price(was), money.plain_price(row.rate_micros)
        text = f"The provider's rate of {tool.slug} went from {old} to {new} on {now:%Y-%m-%d %H:%M} UTC."
        reviews.open_review(ReviewKind.PRICE_MOVED, provider_id=tool.provider_id, text=text, raw=raw, now=now)


def _hide(gone: KnownTool, *, did: Import, changes: list[dict[str, Any]]) -> None:
    is_ours = gone.tool.provider_rate_micros is not None
    if is_ours and not gone.tool.is_hidden and "hidden" not in gone.by_hand:
        did.hidden.append(gone.tool.slug)
        changes.append(import_writing.as_it_is(gone.tool) | {"is_hidden": True})


def _slug(row: ProviderRow, *, taken: set[str]) -> str:
    """Slug from the name and the service id, with a number added if it is taken."""
    plain = unicodedata.normalize("NFKD", row.name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "service"
    ending = f"-{row.service}"
    slug = words[: MAX_SLUG_LENGTH - len(ending)].strip("-") + ending
    number = 2
    while (numbered := slug if number == 2 else f"{slug}-{number - 1}") in taken:
        number += 1
    return numbered
