"""A panel with many orders, inserted with SQL: customers, ended orders, their transfers and events.

A fifth of the orders belong to one customer. The number of open orders doesn't depend on the total.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from panel.db import db
from panel.models import User
from tests.support.factories import a_customer, a_tool, an_operator

CUSTOMERS = 50
OPEN = 40

_CUSTOMERS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :customers)
INSERT INTO users ({columns}) SELECT {values} FROM numbers JOIN users ON users.id = :like
"""
_ACCOUNTS = """
INSERT INTO accounts (kind, user_id, balance_nanos, chain_hash)
SELECT 'customer', id, 1000000000000, '' FROM users WHERE id NOT IN (SELECT user_id FROM accounts WHERE user_id > 0)
"""
_ORDERS = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :orders),
made AS (
    SELECT n, 500 + n % 1000 AS quantity,
        CASE WHEN n >= :orders - :open THEN 'in_progress' WHEN n % 20 = 3 THEN 'partial' WHEN n % 20 = 4 THEN 'canceled'
        ELSE 'completed' END AS status,
        strftime('%Y-%m-%d %H:%M:%S.000000', '2026-11-20', ((n - :orders) * 8640000 / :orders) || ' seconds') AS at
    FROM numbers
),
counted AS (
    SELECT *, CASE status WHEN 'completed' THEN 0 WHEN 'canceled' THEN quantity ELSE quantity / 2 END AS remains,
        status <> 'in_progress' AS has_ended
    FROM made
)
INSERT INTO orders (
    customer_id, tool_id, terms_id, link, quantity, price_micros_per_thousand, charge_nanos, request_id, placed_at,
    status, remains, kept_nanos, returned_nanos, reason, version, provider_id, provider_service, started_at, ended_at,
    provider_order_id, chain_hash
)
SELECT CASE WHEN n % 5 = 0 THEN :large ELSE :large + 1 + n / 5 % :customers END, tools.id, tools.terms_id,
    'https://example.com/page-' || n, quantity, 900000, quantity * 900000, 'large-' || n, at, status, remains,
    has_ended * (quantity - remains) * 900000, has_ended * remains * 900000,
    '', 3, tools.provider_id, 'usual', at, CASE WHEN has_ended THEN at END, 'p-' || n, ''
FROM counted JOIN tools ON tools.id = (SELECT min(id) FROM tools) + n % 2
ORDER BY n
"""
_COUNTS = """
INSERT INTO order_counts (customer_id, status, orders)
SELECT customer_id, status, count(*) FROM orders GROUP BY customer_id, status
"""
_TRANSFERS = """
INSERT INTO transfers (from_account_id, to_account_id, amount_nanos, kind, order_id, reason, note, at, chain_hash)
SELECT * FROM (
    SELECT mine.id AS source, holds.id AS target, charge_nanos, 'charge', orders.id, 'charge of ' || orders.id, '',
        placed_at, ''
    FROM orders JOIN accounts mine ON mine.user_id = customer_id JOIN accounts holds ON holds.kind = 'holds'
    UNION ALL
    SELECT holds.id, sales.id, kept_nanos, 'keep', orders.id, 'keep of ' || orders.id, '', ended_at, ''
    FROM orders JOIN accounts holds ON holds.kind = 'holds' JOIN accounts sales ON sales.kind = 'sales'
    WHERE kept_nanos > 0
    UNION ALL
    SELECT holds.id, mine.id, returned_nanos, 'return', orders.id, 'return of ' || orders.id, '', ended_at, ''
    FROM orders JOIN accounts mine ON mine.user_id = customer_id JOIN accounts holds ON holds.kind = 'holds'
    WHERE returned_nanos > 0
) ORDER BY 8
"""
_EVENTS = """
INSERT INTO events (
    order_id, kind, source, status, remains, kept_nanos, returned_nanos, version, text, raw, at, chain_hash
)
SELECT id, 'placed', 'you', 'pending', quantity, 0, 0, 1, '', '', placed_at, '' FROM orders
"""
_REVISION = import_module("panel.migrations.versions.0020_account_days")
_DAYS = f"""
INSERT INTO account_days (account_id, day, entries, in_nanos, out_nanos, first_id, last_id)
{_REVISION.SUMS.format(day=_REVISION.DAY["sqlite"], transfers="transfers", where="")}
"""
_PROFIT = import_module("panel.migrations.versions.0061_profit_days")
_PROFIT_DAYS = f"INSERT INTO profit_days ({_PROFIT.COLUMNS}) {_PROFIT.sums_of('sqlite', 'TRUE')}"
_LEDGER = import_module("panel.migrations.versions.0062_ledger_days")
_LEDGER_DAYS = _LEDGER.INSERT.format(day=_LEDGER.DAY["sqlite"])
_MADE_AFTERWARD = """
SELECT type, name, sql FROM sqlite_master
WHERE tbl_name IN ('orders', 'transfers', 'events')
    AND (type = 'index' AND sql IS NOT NULL OR name = 'transfers_sum_days' OR name = 'orders_profit_insert')
ORDER BY type
"""
_DEPOSITS = """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :lines)
INSERT INTO transfers (from_account_id, to_account_id, amount_nanos, kind, reason, note, at, chain_hash)
SELECT deposits.id, mine.id, 1, 'deposit', 'deposit ' || n, '',
    strftime('%Y-%m-%d %H:%M:%S.000000', '2026-01-01', (n * 31536000 / :lines) || ' seconds'), ''
FROM numbers JOIN accounts mine ON mine.user_id = :customer JOIN accounts deposits ON deposits.kind = 'deposits'
"""


@dataclass(frozen=True)
class LargePanel:
    """Users of the panel: a customer with a fifth of all orders, one with few, and an operator.

    `order_id`: the newest completed order of the one with few; `oldest_id`: its first one with a refund.
    """

    large: User
    small: User
    operator: User
    order_id: int
    oldest_id: int


def fill(path: Path, *, orders: int, customers: int = CUSTOMERS) -> LargePanel:
    """Fill an empty SQLite database (inside its app's context) with this many orders and customers."""
    for number in (1, 2):
        a_tool(f"tool-number-{number}")
    operator, large = an_operator(), a_customer("1000")
    operator_id, large_id = operator.id, large.id
    with _written_in_bulk(path) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(users)")]
        own = {"id": ":like + n", "email": "'customer' || n || '@example.net'"}
        names, values = ", ".join(columns), ", ".join(own.get(name, f"users.{name}") for name in columns)
        given = {"like": large_id, "customers": customers}
        connection.execute(_CUSTOMERS.format(columns=names, values=values), given)
        connection.execute(_ACCOUNTS)
        connection.execute(_ORDERS, {"orders": orders, "open": OPEN, "large": large_id, "customers": customers})
        for statement in (_COUNTS, _TRANSFERS, "DELETE FROM account_days", _DAYS, _EVENTS, _PROFIT_DAYS):
            connection.execute(statement)
        connection.execute(_LEDGER_DAYS, {"after": 0, "until": 3 * orders + customers})
        newest = "SELECT max(id) FROM orders WHERE customer_id = ? AND status = 'completed'"
        (order_id,) = connection.execute(newest, (large_id + 1,)).fetchone()
        oldest = "SELECT min(id) FROM orders WHERE customer_id = ? AND returned_nanos > 0"
        (oldest_id,) = connection.execute(oldest, (large_id + 1,)).fetchone()
    large, small, operator = (db.session.get_one(User, number) for number in (large_id, large_id + 1, operator_id))
    return LargePanel(large, small, operator, order_id, oldest_id)


@contextmanager
def _written_in_bulk(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection without a journal; indexes and daily sums are made afterward: millions of rows in minutes."""
    db.session.remove()
    db.engine.dispose()
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -2000000", "threads = 1"):
        connection.execute(f"PRAGMA {pragma}")
    kept = connection.execute(_MADE_AFTERWARD).fetchall()
    for kind, name, _ in kept:
        connection.execute(f"DROP {kind} {name}")
    yield connection
    for _, _, statement in kept:
        connection.execute(statement)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def fill_statement(path: Path, *, customer_id: int, lines: int) -> None:
    """Give a customer without money a year of this many deposits of one nano, as many on each day."""
    db.session.remove()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(_DEPOSITS, {"lines": lines, "customer": customer_id})
        connection.execute("UPDATE accounts SET balance_nanos = ? WHERE user_id = ?", (lines, customer_id))
    connection.close()
