"""Rows of the order history as HTML, each rendered once for each version of its order.

A row depends on its order's version, on whether the order is unconfirmed or held back, and on the tool's name and open
incidents as of a catalogue version.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import cache, lru_cache
from typing import Any

from flask import current_app
from markupsafe import Markup, escape

from panel import app_context
from panel.blueprints.orders import history_cache
from panel.blueprints.shared import incident_banner
from panel.blueprints.shared.shells import Shell, shell_of
from panel.clock import utc_now
from panel.domain import formatting, links, money
from panel.domain.next_step import NextStepFacts, next_step
from panel.domain.status import Status
from panel.services.orders import history as order_history
from panel.services.orders.history import KnownRow, ShownRow

MAX_AMOUNTS = 10_000


def rendered(rows: Sequence[KnownRow], *, customer_id: int, catalogue_version: int) -> Markup:
    """The rows of a page as HTML. Only those not cached are read in full, and rendered."""
    # Times are short: those of another year show the year, so a row is cached for one year.
    as_of = (catalogue_version, utc_now().year)
    keys = [(*row, *as_of) for row in rows]
    cached = history_cache.of_app().rows.at(catalogue_version)
    by_id = {row.id: html for row, html in zip(rows, cached.get_all(keys), strict=True)}
    if missing := [order_id for order_id, html in by_id.items() if html is None]:
        render, made = _row_renderer(*as_of), dict[tuple[Hashable, ...], str]()
        for row in order_history.in_full(customer_id, order_ids=missing):
            # The order may have changed since: its row is cached under the version that was read.
            key = (*row[:_KNOWN], *as_of)
            made[key] = by_id[row.id] = render(row)
        cached.set_all(made)
    html = "\n".join(filter(None, by_id.values()))
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


_PARTS = (
    *("id", "status", "tool", "link", "short_link", "badge", "note", "delivered", "delivered_count", "quantity"),
    *("quantity_count", "charge", "charge_plain", "charge_places", "refund", "refund_plain", "refund_places"),
    *("placed", "placed_iso", "placed_when"),
)
# How many columns of a row, its first ones, say whether a cached one is still valid.
_KNOWN = len(KnownRow._fields)
# A longer name of a tool may be cut, so it is also the cell's title.
_LONG_NAME = 20


def _row_renderer(catalogue_version: int, year: int) -> Callable[[ShownRow], str]:
    """A function that renders rows one by one: shells, badges, notes, names and incidents are looked up once."""
    shells = app_context.once_per_app("panel.shells_of_rows", dict[tuple[bool, bool, bool], Shell])
    template = current_app.jinja_env.get_template("orders/_row.html")
    badge_of = cache(_macros("components/status.html").status_badge_again)
    incidents = incident_banner.open_incidents(catalogue_version)
    has_incident = cache(lambda provider_id: any(incident.delays(provider_id) for incident in incidents))
    note_of, tool_of, amount_of = cache(_note), cache(escape), app_context.money_texts()

    def render(row: ShownRow) -> str:
        order_id, _version, status, is_unconfirmed, stop, is_held_back, tool, _tool_id, provider_id, link = row[:10]
        quantity, remains, charge_nanos, returned_nanos, placed_at = row[10:]
        note = note_of(status, is_unconfirmed, stop, is_held_back, has_incident(provider_id))
        kind = (bool(note), bool(returned_nanos), len(tool) > _LONG_NAME)
        shell = shells.get(kind)
        if shell is None:
            has_note, has_refund, is_long = kind
            shells[kind] = shell = shell_of(template, _PARTS, has_note=has_note, has_refund=has_refund, is_long=is_long)
        delivered = quantity - remains
        charge_plain, charge_places = _digits(charge_nanos)
        refund_plain, refund_places = _digits(returned_nanos)
        texts = {
            "id": str(order_id),
            "status": status,
            "tool": tool_of(tool),
            "link": escape(link),
            "short_link": escape(links.shorten(link)),
            "badge": badge_of(Status(status)),
            "note": note,
            "delivered": str(delivered),
            "delivered_count": formatting.count(delivered),
            "quantity": str(quantity),
            "quantity_count": formatting.count(quantity),
            "charge": amount_of(charge_nanos),
            "charge_plain": charge_plain,
            "charge_places": charge_places,
            "refund": amount_of(returned_nanos),
            "refund_plain": refund_plain,
            "refund_places": refund_places,
            "placed": formatting.short(placed_at, year=year),
            "placed_iso": formatting.iso(placed_at),
            "placed_when": formatting.when(placed_at),
        }
        return shell.filled(texts)

    return render


def _note(status: str, is_unconfirmed: bool, stop: str | None, is_held_back: bool, has_incident: bool) -> Markup:
    facts = NextStepFacts(Status(status), is_unconfirmed, stop or "", is_held_back, has_incident=has_incident)
    return escape(next_step(facts).note)


@lru_cache(MAX_AMOUNTS)
def _digits(nanos: int) -> tuple[str, str]:
    """The amount in digits, and how many decimals it has. Many orders have the same price and quantity."""
    digits = money.plain(nanos)
    return digits, str(len(digits.partition(".")[2]))


def _macros(name: str) -> Any:
    """A template's macros. Jinja makes them once for each template."""
    return current_app.jinja_env.get_template(name).module
