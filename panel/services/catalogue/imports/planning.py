"""Plan of an import: what each row of a provider's catalogue would change, before anything is written.

What an operator set by hand stays as it is. A tool missing from the catalogue is hidden until it returns. A service id
with another name and another category may be another service: its tool is hidden until an operator shows it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from panel.domain import money, pricing, resale
from panel.domain.review_kind import ReviewKind
from panel.services import reviews
from panel.services.catalogue import import_writing
from panel.services.catalogue.file_format import TermsWritten
from panel.services.catalogue.imports import row_as_tool
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.known_tools import KnownTool
from panel.services.catalogue.provider_markup import Markup, PriceChange
from panel.services.catalogue.provider_rows import ProviderRow
from panel.services.catalogue.tools import TERMS_WORDS

MOVED_PARTS = 5
# Names follow the catalogue only where an operator looks at them first.
WORDS = ("name", "category", "summary")


@dataclass(slots=True)
class PlannedRow:
    """One row of a plan. `why`: the reason for a skipped one; `new`, `terms` and `change`: what is written."""

    service: str
    kind: RowKind
    slug: str
    name: str
    category: str
    why: str = ""
    price: PriceChange | None = None
    new: dict[str, Any] | None = None
    terms: tuple[str, int, TermsWritten] | None = None
    change: dict[str, Any] | None = None
    present: KnownTool | None = None
    row: ProviderRow | None = None
    # Cost and price of a tool that is sold below its cost from now on.
    loss: tuple[str, str] | None = None


@dataclass(slots=True)
class ImportPlan:
    """The planned rows of a catalogue, those that it no longer has last."""

    rows: list[PlannedRow] = field(default_factory=list)
    # How many tools came from this catalogue before.
    imported: int = 0

    @property
    def prices(self) -> list[PriceChange]:
        return [each.price for each in self.rows if each.price is not None]

    def of(self, *kinds: RowKind) -> list[PlannedRow]:
        return [each for each in self.rows if each.kind in kinds]

    def write(self, *, on_progress: Any = lambda done, of: None, now: datetime) -> None:
        """Write what is planned, and open the reviews. The catalogue must be locked."""
        for each in self.rows:
            if each.present is not None and each.row is not None and each.present.is_imported:
                _open_reviews(each.present, each.row, now=now)
            if each.loss is not None and each.present is not None:
                _open_loss_review(each.present, *each.loss, now=now)
        import_writing.write(
            [each.new for each in self.rows if each.new is not None],
            [each.terms for each in self.rows if each.terms is not None],
            [each.change for each in self.rows if each.change is not None],
            on_progress=on_progress,
            now=now,
        )


def plan(
    rows: Iterable[ProviderRow],
    *,
    known: Mapping[str, KnownTool],
    provider_id: int,
    markup: Markup,
    slugs: set[str],
    keeps_names: bool = False,
    now: datetime,
) -> ImportPlan:
    """Plan the import of these rows. `known`: the provider's tools by service; those without a row have vanished.

    `slugs`: those in use. With `keeps_names`, tools that are imported already change in price, limits and terms
    alone: names stay, nothing is added, and no hidden tool is shown.
    """
    found, gone = ImportPlan(imported=sum(each.is_imported for each in known.values())), dict(known)
    for row in rows:
        present = gone.pop(row.service, None)
        is_package = row_as_tool.form_of_row(row, present).is_package
        price = pricing.price_of_rate(markup.price_micros(row.rate, row.category), is_package=is_package)
        planned = PlannedRow(row.service, RowKind.SKIPPED, "", row.name, row.category, row=row, present=present)
        found.rows.append(planned)
        if not resale.is_sellable(price, is_package=is_package):
            planned.why = "its price is more than can be charged here"
            _hide_replaced(planned)
        elif present is None:
            if keeps_names:
                planned.why = "it is new, and only an operator adds tools"
            else:
                planned.slug = row_as_tool.free_slug(row, taken=slugs)
                slugs.add(planned.slug)
                planned.kind = RowKind.ADDED
                planned.new = row_as_tool.new_tool(row, planned.slug, provider_id=provider_id, now=now)
                planned.terms = (planned.slug, 1, row_as_tool.terms(row, price=price))
        elif not present.is_imported:
            planned.slug = present.tool.slug
            planned.why = f"an operator sells it as {present.tool.slug}"
        else:
            _follow(planned, present, row, price=price, keeps_names=keeps_names)
            planned.loss = _loss(planned, present, row, markup=markup)
    found.rows += [_vanished(each) for each in gone.values() if _vanishes(each)]
    return found


def _vanishes(gone: KnownTool) -> bool:
    return gone.is_imported and not gone.tool.is_hidden and "hidden" not in gone.by_hand


def _vanished(gone: KnownTool) -> PlannedRow:
    tool = gone.tool
    change = import_writing.as_it_is(tool) | {"is_hidden": True}
    return PlannedRow(
        tool.provider_service, RowKind.VANISHED, tool.slug, tool.name, tool.category, change=change, present=gone
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


def _follow(planned: PlannedRow, present: KnownTool, row: ProviderRow, *, price: int, keeps_names: bool) -> None:
    """Plan the update of a known tool to the provider's current values, except for what an operator edited."""
    tool, planned.slug = present.tool, present.tool.slug
    kept = {column for name in present.by_hand for column in _BY_HAND.get(name, ())}
    kept |= set(_BY_HAND["link"])
    wanted = asdict(row_as_tool.terms(row, price=price)) | {name: getattr(present.terms, name) for name in kept}
    if wanted["minimum"] > wanted["maximum"]:
        planned.why = f"its limits do not fit those set by hand for {tool.slug}"
        _hide_replaced(planned)
        return
    fields = _fields(present, row, keeps_names=keeps_names)
    terms = TermsWritten(**wanted)
    old_price, new_price = present.terms.price_micros_per_thousand, terms.price_micros_per_thousand
    if old_price != new_price:
        planned.price = PriceChange(tool.slug, old_price, new_price, present.terms.is_package, terms.is_package)
    differs = {name: value for name, value in fields.items() if getattr(tool, name) != value}
    has_new_terms = terms != present.terms or bool(differs.keys() & TERMS_WORDS)
    if has_new_terms:
        planned.terms = (tool.slug, present.version + 1, terms)
    if differs or has_new_terms:
        planned.change = import_writing.as_it_is(tool) | differs
    planned.kind = _kind(present, row, differs, is_changed=planned.change is not None)


def _fields(present: KnownTool, row: ProviderRow, *, keeps_names: bool) -> dict[str, Any]:
    """The columns of a known tool as the row has them."""
    tool = present.tool
    fields: dict[str, Any] = {"provider_rate_micros": row.rate_micros, "provider_rate": resale.plain_rate(row.rate)}
    if not keeps_names:
        fields |= {name: value for name, value in row_as_tool.words(row).items() if name not in present.by_hand}
    if not keeps_names or _is_replaced(present, row):
        fields |= {"provider_name": row.name, "provider_category": row.category}
    if _is_replaced(present, row):
        fields |= _hidden(present)
    elif tool.is_hidden and "hidden" not in present.by_hand and not keeps_names:
        fields["is_hidden"] = False
    return fields


def _hidden(present: KnownTool) -> dict[str, Any]:
    """Hidden as if by hand, so that no later import shows the tool before an operator has looked."""
    return {"is_hidden": True, "set_by_hand": " ".join(sorted({*present.by_hand, "hidden"}))}


def _hide_replaced(planned: PlannedRow) -> None:
    """Hide the tool of a row that can't be imported, if the row may be another service."""
    present, row = planned.present, planned.row
    if present is None or row is None or not present.is_imported or not _is_replaced(present, row):
        return
    names = {"provider_name": row.name, "provider_category": row.category}
    planned.kind, planned.slug = RowKind.REPLACED, present.tool.slug
    planned.change = import_writing.as_it_is(present.tool) | names | _hidden(present)


def _is_replaced(present: KnownTool, row: ProviderRow) -> bool:
    """Whether the service has another name and another category than at the last import."""
    tool = present.tool
    return bool(tool.provider_name) and tool.provider_name != row.name and tool.provider_category != row.category


def _kind(present: KnownTool, row: ProviderRow, differs: Mapping[str, Any], *, is_changed: bool) -> RowKind:
    if _is_replaced(present, row):
        return RowKind.REPLACED
    if differs.get("is_hidden") is False:
        return RowKind.RETURNED
    if "name" in differs:
        return RowKind.RENAMED
    return RowKind.CHANGED if is_changed else RowKind.UNCHANGED


def _open_reviews(present: KnownTool, row: ProviderRow, *, now: datetime) -> None:
    """Open a review if the service may have become another one, or if its rate has changed a lot."""
    tool, raw, was_type = present.tool, f"service={row.service}", present.terms.order_type
    if was_type != row.order_type:
        text = (
            f"Service {row.service}, sold as {tool.slug}, was of the type {was_type} and is now {row.order_type}. "
            "Check what its orders need and what it costs."
        )
        reviews.open_review(ReviewKind.SERVICE_CHANGED, provider_id=tool.provider_id, text=text, raw=raw, now=now)
    if _is_replaced(present, row):
        text = (
            f"Service {row.service}, sold as {tool.slug}, was {tool.provider_name} in {tool.provider_category} "
            f"and is now {row.name} in {row.category}. It may be another service. The tool is hidden: check it, then "
            "show it."
        )
        reviews.open_review(ReviewKind.SERVICE_CHANGED, provider_id=tool.provider_id, text=text, raw=raw, now=now)
    was = tool.provider_rate_micros
    if abs(row.rate_micros - was) * MOVED_PARTS > was:
        old, new = money.plain_price(was), money.plain_price(row.rate_micros)
        text = f"The provider’s rate of {tool.slug} went from {old} to {new} on {now:%Y-%m-%d %H:%M} UTC."
        reviews.open_review(ReviewKind.PRICE_MOVED, provider_id=tool.provider_id, text=text, raw=raw, now=now)


def _loss(planned: PlannedRow, present: KnownTool, row: ProviderRow, *, markup: Markup) -> tuple[str, str] | None:
    """Cost and price in words, where a price set by hand falls below the cost with this import."""
    terms = present.terms if planned.terms is None else planned.terms[2]
    cost = pricing.price_of_rate(markup.cost_micros(row.rate), is_package=terms.is_package)
    before = pricing.price_of_rate(markup.cost_micros(present.rate), is_package=present.terms.is_package)
    price = terms.price_micros_per_thousand
    if price >= cost or present.terms.price_micros_per_thousand < before:
        return None
    of = "a package" if terms.is_package else "per 1,000"
    was, now = (pricing.plain_rate(each, is_package=terms.is_package) for each in (cost, price))
    return f"{was} {of}", f"{now} {of}"


def _open_loss_review(present: KnownTool, cost: str, price: str, *, now: datetime) -> None:
    text = (
        f"{present.tool.name} ({present.tool.slug}) costs {cost} since the import of {now:%Y-%m-%d %H:%M} UTC, and "
        f"customers pay {price}. Raise its price, or hide it."
    )
    reviews.open_review(ReviewKind.UPSTREAM_CHARGE, provider_id=present.tool.provider_id, text=text, now=now)
