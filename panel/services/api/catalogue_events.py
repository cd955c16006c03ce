"""Webhooks about tools: what changed in the API's list of services since the last comparison, by any way.

The list as last announced is stored, so an edit, an import, a file and a hidden tool are noticed alike, and a tool that
was changed and changed back is not announced.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from panel.db import db, lock_rows, table_of, upsert
from panel.models import Catalogue, ListedTool
from panel.services import webhooks
from panel.services.api import orders as api_orders

LISTED = table_of(ListedTool)
CATALOGUE = table_of(Catalogue)

TOOLS_AN_EVENT = 100
ADDED, CHANGED, REMOVED = "added", "changed", "removed"
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
        changes, prices = list(_changes(before, after)), list(_price_changes(before, after))
        for kind, tools in ((webhooks.TOOL_CHANGED, changes), (webhooks.PRICE_CHANGED, prices)):
            for start in range(0, len(tools), TOOLS_AN_EVENT):
                webhooks.queue_catalogue_event(kind, tools[start : start + TOOLS_AN_EVENT], now=now)
    differing = _store(before, after)
    db.session.execute(update(CATALOGUE).values(announced_version=version))
    return 0 if announced is None else differing


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
