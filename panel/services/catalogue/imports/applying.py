"""Apply a chosen import in steps, each a transaction that plans its rows again: what was set by hand since stays."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.models import Catalogue, ImportState, Provider, Tool
from panel.services.catalogue import provider_markup
from panel.services.catalogue.imports import journal, known_tools, lifecycle, planning

ROWS_A_STEP = 500


def apply_some(import_id: int, *, now: datetime) -> bool:
    """Import the next services; returns whether more are left. Raises Refused where the currency has no rate."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()
    found = lifecycle.held(import_id)
    if found.state != ImportState.APPLYING:
        return False
    services = lifecycle.chosen_of(found)[found.done : found.done + ROWS_A_STEP]
    wanted = set(services)
    markup = lifecycle.markup_of(found)
    planned = planning.plan(
        [row for row in lifecycle.rows_of(found) if row.service in wanted],
        known=known_tools.of_provider(found.provider_id, services=services),
        provider_id=found.provider_id,
        markup=markup,
        slugs=set(db.session.scalars(select(Tool.slug))),
        keeps_names=found.is_scheduled,
        now=now,
    )
    planned.write(now=now)
    journal.write(found, planned, now=now)
    found.done += len(services)
    found.due_at = now + lifecycle.LEASE
    if found.done < found.total:
        db.session.flush()
        return True
    provider_markup.remember(db.session.get_one(Provider, found.provider_id), markup)
    lifecycle.finish(found, ImportState.APPLIED, now=now)
    return False
