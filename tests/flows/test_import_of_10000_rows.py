"""Import of 10,000 rows, of every type and with names of every sort: fetched, previewed, applied and undone."""

import json
import time

import pytest
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.forms import order_types
from panel.models import CatalogueImport, Tool
from panel.services.catalogue import tool_settings
from panel.services.catalogue.imports import applying, lifecycle, undoing
from tests.support.catalogue_imports import a_row
from tests.support.factories import a_provider

ROWS = 10_000
# The goal; some 10 seconds of CPU time on this machine, which others share.
SECONDS = 60
NAMES = ("<b>Views</b> &amp; more", "Reads 🚀", "=1+1", "Opens &lt;fast&gt;", "Zürich – 中文")


def a_catalogue() -> list[object]:
    types = list(order_types.TYPES)
    return [
        a_row(
            number,
            name=f"{NAMES[number % len(NAMES)]} {number}",
            category=f"Category {number % 40}" if number % 41 else "",
            rate=f"{number / 1000:.3f}0000",
            type=types[number % len(types)],
        )
        for number in range(1, ROWS + 1)
    ]


def work(import_id: int) -> None:
    for step in (applying.apply_some, undoing.undo_some):
        is_more = True
        while is_more:
            with transaction():
                is_more = step(import_id, now=utc_now())


@pytest.mark.both_engines
def test_catalogue_of_10000_rows_takes_less_than_a_minute_and_is_undone() -> None:
    provider = a_provider("panel_api")
    with transaction():
        provider.margin_millionths = 200_000
    answer = json.loads(json.dumps(a_catalogue()))
    began = time.process_time()

    with transaction():
        import_id = lifecycle.request_import(provider.id, actor="anna", now=utc_now()).id
    with transaction():
        lifecycle.keep(import_id, answer, balance_currency="USD", now=utc_now())
    found = db.session.get_one(CatalogueImport, import_id)
    services = {each.service for each in lifecycle.preview(found, now=utc_now()).rows}
    with transaction():
        lifecycle.apply(import_id, services, actor="anna", now=utc_now())
    work(import_id)
    seconds = time.process_time() - began

    added = db.session.get_one(CatalogueImport, import_id).added
    assert added == db.session.scalars(select(func.count(Tool.id))).one() > ROWS * 0.9
    assert seconds < SECONDS
    with transaction():
        slug = db.session.scalars(select(Tool.slug).limit(1)).one()
        tool_settings.set_field(slug, "summary", "Ours.", actor="anna", now=utc_now())
        lifecycle.undo(import_id, actor="anna", now=utc_now())
    work(import_id)
    assert db.session.scalars(select(Tool.slug).where(Tool.is_hidden.is_(False))).all() == [slug]
