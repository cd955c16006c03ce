"""A panel with one customer with very many orders: created once, then reused from the temporary folder."""

import sqlite3
import tempfile
from pathlib import Path

import flask_migrate
from flask import Flask
from sqlalchemy import select

from panel.application import create_app
from panel.db import db
from panel.domain.status import Status
from panel.models import User
from panel.settings import Settings
from tests.support import databases
from tests.support.factories import a_customer, a_tool

TOOLS = 8
# Of a hundred orders, newest first, these have the given status; all others are Completed.
SHARE = {Status.PENDING: 5, Status.PROCESSING: 5, Status.IN_PROGRESS: 10, Status.PARTIAL: 5, Status.CANCELED: 5}

_FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :orders),
made AS (
    SELECT n, 500 + n % 1000 AS quantity, CASE {cases} ELSE 'completed' END AS status FROM numbers
),
left_over AS (
    SELECT *, CASE status WHEN 'completed' THEN 0 WHEN 'in_progress' THEN quantity / 2
        WHEN 'partial' THEN quantity / 2 ELSE quantity END AS remains
    FROM made
)
INSERT INTO orders (
    customer_id, tool_id, terms_id, link, quantity, price_micros_per_thousand, charge_nanos, request_id, placed_at,
    status, remains, kept_nanos, returned_nanos, reason, version, provider_id, provider_service
)
SELECT
    :customer, tools.id, tools.terms_id, 'https://example.com/page-' || n, quantity, 900000, quantity * 900000,
    'bench-' || n, strftime('%Y-%m-%d %H:%M:%S.000000', '2026-11-20', (n - :orders) || ' seconds'), status, remains,
    CASE WHEN status IN ('completed', 'partial') THEN (quantity - remains) * 900000 ELSE 0 END,
    CASE WHEN status IN ('canceled', 'partial') THEN remains * 900000 ELSE 0 END,
    '', 3, tools.provider_id, 'usual'
FROM left_over JOIN tools ON tools.id = 1 + n % :tools
ORDER BY n
"""
_COUNT = """
INSERT INTO order_counts (customer_id, status, orders)
SELECT customer_id, status, count(*) FROM orders GROUP BY customer_id, status
"""


def panel_with(orders: int) -> tuple[Settings, Flask, User]:
    """Settings of a panel with this many orders, its app with the context pushed, and the customer."""
    settings = databases.settings_for(_database(orders).parent)
    app = create_app(settings)
    app.app_context().push()
    customer = db.session.scalars(select(User)).one()
    return settings, app, customer


def _database(orders: int) -> Path:
    migrations = sorted(Path(__file__).parents[2].glob("panel/migrations/versions/*.py"))
    folder = Path(tempfile.gettempdir()) / "panel-bench" / f"{migrations[-1].stem}-{orders}"
    made = folder / "panel.db"
    if made.exists():
        return made
    print(f"Making a customer with {orders:,} orders (once) …", flush=True)
    unfinished = folder / "unfinished"
    (unfinished / "panel.db").unlink(missing_ok=True)
    app = create_app(databases.settings_for(unfinished))
    with app.app_context():
        flask_migrate.upgrade()
        customer = a_customer("1000")
        for number in range(TOOLS):
            a_tool(f"tool-number-{number + 1}")
        customer_id = customer.id
    databases.close(app)
    _fill(unfinished / "panel.db", orders=orders, customer_id=customer_id)
    (unfinished / "panel.db").rename(made)
    return made


def _fill(path: Path, *, orders: int, customer_id: int) -> None:
    cases, below = [], 0
    for status, share in SHARE.items():
        cases.append(f"WHEN (:orders - 1 - n) % 100 < {below + share} THEN '{status}'")
        below += share
    connection = sqlite3.connect(path)
    with connection:
        values = {"orders": orders, "customer": customer_id, "tools": TOOLS}
        connection.execute(_FILL.format(cases=" ".join(cases)), values)
        connection.execute(_COUNT)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
