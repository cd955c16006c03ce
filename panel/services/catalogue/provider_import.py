"""Import of a provider's services as tools: new ones are added, changed rates and limits become new terms.

What an operator edited stays as it is. A tool missing from the provider's list is hidden until it returns. The list is
fetched before the transaction, so that no network call happens inside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused
from panel.models import Catalogue, Provider, Tool
from panel.services.catalogue import provider_markup, provider_rows
from panel.services.catalogue.imports import journal, known_tools, planning
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.planning import ImportPlan
from panel.services.catalogue.provider_markup import Markup, PriceChange


@dataclass
class Import:
    """Result of an import: slugs by what was done, and a message for every row that could not be used."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    returned: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    prices: list[PriceChange] = field(default_factory=list)


def lock_catalogue() -> None:
    """Lock the catalogue until the transaction ends, so that price rules read from then on stay as they are."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()


def import_services(
    provider: Provider,
    answer: list[object],
    *,
    markup: Markup,
    may_fall: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
    actor: str,
    now: datetime,
) -> Import:
    """Import the provider's services. Raises Refused if no row is usable, or while another import of it runs.

    Raises PricesWouldFall if many prices would fall, unless that is allowed (`may_fall`).
    """
    rows, skipped = provider_rows.read(answer)
    if not rows:
        raise ActionRefused("The provider’s catalogue has no service that can be sold. Nothing was changed.")
    lock_catalogue()
    did = Import(skipped=skipped)
    known = known_tools.of_provider(provider.id)
    followed = sum(each.tool.provider_rate_micros is not None for each in known.values())
    slugs = set(db.session.scalars(select(Tool.slug)))
    planned = planning.plan(rows, known=known, provider_id=provider.id, markup=markup, slugs=slugs, now=now)
    _count(planned, did)
    if not may_fall:
        provider_markup.check_falls(did.prices, followed=followed)
    provider_markup.remember(provider, markup)
    planned.write(on_progress=on_progress, now=now)
    journal.record(provider.id, planned, currency=markup.currency, actor=actor, now=now)
    return did


def _count(planned: ImportPlan, did: Import) -> None:
    """Enter the planned rows into the result."""
    into = {RowKind.ADDED: did.added, RowKind.VANISHED: did.hidden}
    for each in planned.rows:
        if each.kind == RowKind.SKIPPED:
            did.skipped.append(f"Service {each.service} was skipped: {each.why}.")
        elif each.kind in into:
            into[each.kind].append(each.slug)
        else:
            (did.unchanged if each.change is None else did.changed).append(each.slug)
    did.returned += [each.slug for each in planned.of(RowKind.RETURNED)]
    did.replaced += [each.slug for each in planned.of(RowKind.REPLACED)]
    did.prices += planned.prices
