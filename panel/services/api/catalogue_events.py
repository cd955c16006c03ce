"""Webhooks about tools: what changed in the API's list of services since the last comparison, by any way.

The list as last announced is stored, so an edit, an import, a file and a hidden tool are noticed alike, and a tool that
was changed and changed back is not announced. Customers of a price group get their own rates.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from panel.db import db, lock_rows, table_of, upsert
from panel.domain import pricing
from panel.domain.errors import BadMoney
from panel.models import Catalogue, ListedTool
from panel.services import webhooks
from panel.services.api import orders as api_orders
from panel.services.catalogue import customer_prices, tools
from panel.services.catalogue.customer_prices import PriceList

LISTED = table_of(ListedTool)
CATALOGUE = table_of(Catalogue)

TOOLS_AN_EVENT = 100
ADDED, CHANGED, REMOVED = "added", "changed", "removed"
_Endpoints = dict[int, tuple[int, ...]]
_Entries = dict[int, dict[str, Any]]
RATE = "rate"


def is_due() -> bool:
    """Whether the catalogue has changed in any way since the last comparison."""
    versions = db.session.execute(select(CATALOGUE.c.version, CATALOGUE.c.announced_version)).first()
    return versions is not None and versions[0] != versions[1]


def announce(*, now: datetime) -> int:
    """Queue webhooks about what changed, and store the list; the first is stored only. Returns how many changed."""
    version, announced = db.session.execute(lock_rows(select(CATALOGUE.c.version, CATALOGUE.c.announced_version))).one()
    if version == announced:
        return 0
    before = {row.tool_id: json.loads(row.entry) for row in db.session.execute(select(LISTED))}
    after = {service.tool_id: service.entry() for service in api_orders.listed_services()}
    if announced is not None:
        for group_id, to in _by_group(webhooks.endpoints_by_customer()).items():
            prices = customer_prices.of_group(group_id)
            own_before, own_after = _at(prices, before), _at(prices, after)
            _queue(webhooks.TOOL_CHANGED, _changes(own_before, own_after), to, now=now)
            _queue(webhooks.PRICE_CHANGED, _price_changes(own_before, own_after), to, now=now)
    differing = _store(before, after)
    db.session.execute(update(CATALOGUE).values(announced_version=version))
    return 0 if announced is None else differing


def announce_prices(user_ids: Collection[int], *, before: PriceList, after: PriceList, now: datetime) -> None:
    """Queue webhooks for these customers, whose price list was another one before."""
    to = {user_id: ids for user_id, ids in webhooks.endpoints_by_customer().items() if user_id in user_ids}
    if to:
        entries = {service.tool_id: service.entry() for service in api_orders.listed_services()}
        _queue(webhooks.PRICE_CHANGED, _price_changes(_at(before, entries), _at(after, entries)), to, now=now)


def _by_group(endpoints: _Endpoints) -> dict[int | None, _Endpoints]:
    """The endpoints by their owners' price group."""
    groups = customer_prices.groups_of_customers()
    found: defaultdict[int | None, _Endpoints] = defaultdict(dict)
    for user_id, endpoint_ids in endpoints.items():
        found[groups.get(user_id)][user_id] = endpoint_ids
    return found


def _at(prices: PriceList, entries: _Entries) -> _Entries:
    """The entries with the rates of this price list."""
    if prices.group_id is None:
        return entries
    kinds = {offer.tool_id: offer.is_package for offer in tools.listed_all()}
    return {
        tool_id: {**entry, RATE: _rate(prices, tool_id, entry[RATE], is_package=kinds.get(tool_id, False))}
        for tool_id, entry in entries.items()
    }


def _rate(prices: PriceList, tool_id: int, listed: str, *, is_package: bool) -> str:
    try:
        price = pricing.parse_price(listed, is_package=is_package)
    except BadMoney:
        # The rate of a tool that was sold by the package before, finer than a price of a thousand can be.
        return listed
    return pricing.plain_rate(prices.price(tool_id, price, is_package=is_package), is_package=is_package)


def _queue(kind: str, found: Iterable[dict[str, Any]], to: _Endpoints, *, now: datetime) -> None:
    listed = list(found)
    for start in range(0, len(listed), TOOLS_AN_EVENT):
        webhooks.queue_catalogue_event(kind, listed[start : start + TOOLS_AN_EVENT], to=to, now=now)


def _changes(before: Mapping[int, dict[str, Any]], after: Mapping[int, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Tools that were added, removed, or changed in anything but their price; each as `services` lists it."""
    for tool_id, entry in after.items():
        was = before.get(tool_id)
        if was is None:
            yield {"change": ADDED, **entry}
        elif {**was, RATE: entry[RATE]} != entry:
            yield {"change": CHANGED, **entry}
    for tool_id in before.keys() - after.keys():
        yield {"change": REMOVED, **before[tool_id]}


def _price_changes(
    before: Mapping[int, dict[str, Any]], after: Mapping[int, dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for tool_id, entry in after.items():
        was = before.get(tool_id)
        if was is not None and was[RATE] != entry[RATE]:
            yield {"service": tool_id, "name": entry["name"], "rate_before": was[RATE], RATE: entry[RATE]}


def _store(before: Mapping[int, dict[str, Any]], after: Mapping[int, dict[str, Any]]) -> int:
    differing = [
        {"tool_id": tool_id, "entry": json.dumps(entry, ensure_ascii=False)}
        for tool_id, entry in after.items()
        if before.get(tool_id) != entry
    ]
    if differing:
        add = upsert(LISTED)
        db.session.execute(
            add.on_conflict_do_update(index_elements=["tool_id"], set_={"entry": add.excluded.entry}), differing
        )
    gone = before.keys() - after.keys()
    for tool_id in gone:
        db.session.execute(delete(LISTED).where(LISTED.c.tool_id == tool_id))
    return len(differing) + len(gone)
