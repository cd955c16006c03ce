"""Rows of the order history as HTML, each rendered once for each version of its order.

A row depends on its order's version, on whether the order is unconfirmed or held back, and on the tool's name and open
incidents as of a catalogue version.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from flask import current_app
from markupsafe import Markup
from sqlalchemy import Row

from panel.blueprints.orders import history_cache
from panel.blueprints.shared import incident_banner
from panel.clock import utc_now
from panel.domain import formatting, links
from panel.domain.next_step import NextStepFacts, next_step
from panel.domain.status import Status
from panel.services.orders import history as order_history


def rendered(rows: Sequence[Row[*tuple[Any, ...]]], *, customer_id: int, catalogue_version: int) -> Markup:
    """The rows of a page as HTML. Only those not cached are read in full, and rendered."""
    # Times are short: those of another year show the year, so a row is cached for one year.
    as_of = (catalogue_version, utc_now().year)
    keys = [(*row[:2], *row[3:6], *as_of) for row in rows]
    cached = history_cache.of_app().rows
    by_id = {key[0]: cached.get(key) for key in keys}
    if missing := [order_id for order_id, html in by_id.items() if html is None]:
        render = _row_renderer(*as_of)
        for row in order_history.in_full(customer_id, order_ids=missing):
            # The order may have changed since: its row is cached under the version that was read.
            key = (row.id, row.version, row.is_unconfirmed, row.stop, row.is_held_back, *as_of)
            by_id[row.id] = cached.get_or_make(key, partial(render, row))
    html = "\n".join(filter(None, by_id.values()))
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _row_renderer(catalogue_version: int, year: int) -> Callable[[Row[*tuple[Any, ...]]], str]:
    """What renders one row after the other: templates, badges and incidents are looked up once."""
    order_row = _macros("orders/_row.html").order_row
    badge_of = cache(_macros("components/status.html").status_badge_again)
    incidents = incident_banner.open_incidents(catalogue_version)

    def render(row: Row[*tuple[Any, ...]]) -> str:
        status = Status(row.status)
        has_incident = any(incident.delays(row.provider_id) for incident in incidents)
        facts = NextStepFacts(status, row.is_unconfirmed, row.stop or "", row.is_held_back, has_incident=has_incident)
        shown = order_row(
            row,
            badge=badge_of(status),
            link=links.shorten(row.link),
            delivered=row.quantity - row.remains,
            placed=formatting.short(row.placed_at, year=year),
            note=next_step(facts).note,
        )
        return str(shown)

    return render


def _macros(name: str) -> Any:
    """A template's macros. Jinja makes them once for each template, so that a row costs one call."""
    return current_app.jinja_env.get_template(name).module
