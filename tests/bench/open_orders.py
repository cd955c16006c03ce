"""A panel with very many open orders at one upstream provider, on either engine, in its own folder."""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import flask_migrate
from flask import Flask
from sqlalchemy import insert, select

from panel.application import create_app
from panel.db import db, table_of, transaction
from panel.domain.status import Status
from panel.models import Order, OrderCount, Provider, User
from panel.services.providers import registry as provider_registry
from tests.support import databases, private_servers
from tests.support.factories import NOON, a_customer, a_tool

CUSTOMERS = 100
QUANTITY = 1_000
PRICE_MICROS = 900_000
ROWS_AT_ONCE = 10_000
ENGINES = ("sqlite", "postgresql")


@contextlib.contextmanager
def panel_with_open_orders(engine: str, *, orders: int, url: str, status: Status) -> Iterator[Flask]:
    """The app with its context pushed. Every order is open and due for a status request."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="panel-bench-")))
        database_url = stack.enter_context(private_servers.postgresql_server()) if engine == "postgresql" else ""
        settings = databases.settings_for(folder, database_url=database_url, sync_seconds=3600)
        app = create_app(settings)
        stack.enter_context(app.app_context())
        flask_migrate.upgrade()
        ciphertext = provider_registry.encrypt("key", settings=settings)
        with transaction():
            provider = provider_registry.add_provider(
                "upstream", kind="panel_api", url=url, encrypted_key=ciphertext, now=NOON
            )
        tool = a_tool(provider=provider, provider_service="1")
        for _ in range(CUSTOMERS):
            a_customer("1000")
        _fill(orders, tool_id=tool.id, terms_id=tool.terms_id, status=status)
        yield app
        databases.close(app)


def provider_id() -> int:
    return db.session.scalars(select(Provider.id).where(Provider.kind == "panel_api")).one()


def _fill(orders: int, *, tool_id: int, terms_id: int | None, status: Status) -> None:
    customers = db.session.scalars(select(User.id).order_by(User.id)).all()
    upstream = provider_id()
    same = {
        "tool_id": tool_id,
        "terms_id": terms_id,
        "link": "https://example.com/page-1",
        "quantity": QUANTITY,
        "price_micros_per_thousand": PRICE_MICROS,
        "charge_nanos": QUANTITY * PRICE_MICROS,
        "placed_at": NOON,
        "status": status,
        "remains": QUANTITY,
        "kept_nanos": 0,
        "returned_nanos": 0,
        "reason": "",
        "version": 1,
        "provider_id": upstream,
        "provider_service": "1",
        "sync_at": NOON - timedelta(days=1),
    }
    # Orders sent to a provider at the same time belong to many customers.
    rows: Iterator[dict[str, Any]] = (
        same
        | {
            "customer_id": customers[number % CUSTOMERS],
            "request_id": f"bench-{number:08d}",
            "provider_order_id": str(number + 1),
        }
        for number in range(orders)
    )
    while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
        with transaction():
            db.session.execute(insert(table_of(Order)), some)
    counts = [{"customer_id": customer, "status": status, "orders": orders // CUSTOMERS} for customer in customers]
    with transaction():
        db.session.execute(insert(table_of(OrderCount)), counts)
