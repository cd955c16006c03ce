"""A panel with many orders, inserted with SQL on either engine: customers, ended orders, their transfers and events.

A fifth of the orders belong to one customer. The number of open orders doesn't depend on the total.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

from sqlalchemy import Connection, Engine, create_engine, text

from panel.db import db
from panel.models import User
from tests.support.factories import a_customer, a_tool, an_operator

CUSTOMERS = 50
OPEN = 40

# A time that lies some seconds after the beginning of a day.
_AT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', '{day}', ({seconds}) || ' seconds')",
    "postgresql": "TIMESTAMP WITH TIME ZONE '{day} 00:00+00' + ({seconds}) * INTERVAL '1 second'",
}
_CUSTOMERS = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :customers)
INSERT INTO users ({columns}) SELECT {values} FROM numbers JOIN users ON users.id = :like
"""
_ACCOUNTS = """
INSERT INTO accounts (kind, user_id, balance_nanos, chain_hash)
SELECT 'customer', id, 1000000000000, '' FROM users WHERE id NOT IN (SELECT user_id FROM accounts WHERE user_id > 0)
"""
_ORDERS = """
WITH RECURSIVE numbers (n) AS (
    SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :orders
),
made AS (
    SELECT n, 500 + n % 1000 AS quantity,
        CASE WHEN n >= :orders - :open THEN 'in_progress' WHEN n % 20 = 3 THEN 'partial' WHEN n % 20 = 4 THEN 'canceled'
        ELSE 'completed' END AS status,
        {at} AS at
    FROM numbers
),
counted AS (
    SELECT *, CASE status WHEN 'completed' THEN 0 WHEN 'canceled' THEN quantity ELSE quantity / 2 END AS remains,
        CASE status WHEN 'in_progress' THEN 0 ELSE 1 END AS has_ended
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
    '', 3, tools.provider_id, 'usual', at, CASE has_ended WHEN 1 THEN at END, 'p-' || n, ''
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
) AS made ORDER BY 8
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
{_REVISION.SUMS.format(day="{day}", transfers="transfers", where="")}
"""
_PROFIT = import_module("panel.migrations.versions.0061_profit_days")
_LEDGER = import_module("panel.migrations.versions.0062_ledger_days")
_MADE_AFTERWARD = """
SELECT type, name, sql FROM sqlite_master
WHERE tbl_name IN ('orders', 'transfers', 'events')
    AND (type = 'index' AND sql IS NOT NULL OR name = 'transfers_sum_days' OR name = 'orders_profit_insert')
ORDER BY type
"""
_DEPOSITS = """
INSERT INTO transfers (from_account_id, to_account_id, amount_nanos, kind, reason, note, at, chain_hash)
WITH RECURSIVE numbers (n) AS (
    SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :lines
)
SELECT deposits.id, mine.id, 1, 'deposit', 'deposit ' || n || ' of ' || mine.user_id, '', {at}, ''
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


def fill(*, orders: int, customers: int = CUSTOMERS) -> LargePanel:
    """Fill the empty database of the current app with this many orders and customers."""
    for number in (1, 2):
        a_tool(f"tool-number-{number}")
    operator, large = an_operator(), a_customer("1000")
    operator_id, large_id = operator.id, large.id
    with _written_in_bulk() as connection:
        dialect = connection.dialect.name
        columns = [column.name for column in User.__table__.columns]
        own = {"id": ":like + n", "email": "'customer' || n || '@example.net'"}
        names, values = ", ".join(columns), ", ".join(own.get(name, f"users.{name}") for name in columns)
        given = {"like": large_id, "customers": customers}
        connection.execute(text(_CUSTOMERS.format(columns=names, values=values)), given)
        connection.execute(text(_ACCOUNTS))
        at = _AT[dialect].format(day="2026-11-20", seconds="(n - :orders) * 8640000 / :orders")
        given = {"orders": orders, "open": OPEN, "large": large_id, "customers": customers}
        connection.execute(text(_ORDERS.format(at=at)), given)
        profit = f"INSERT INTO profit_days ({_PROFIT.COLUMNS}) {_PROFIT.sums_of(dialect, 'TRUE')}"
        days = _DAYS.format(day=_REVISION.DAY[dialect])
        for statement in (_COUNTS, _TRANSFERS, "DELETE FROM account_days", days, _EVENTS, profit):
            connection.execute(text(statement))
        ledger = text(_LEDGER.INSERT.format(day=_LEDGER.DAY[dialect]))
        connection.execute(ledger, {"after": 0, "until": 3 * orders + customers})
        newest = text("SELECT max(id) FROM orders WHERE customer_id = :customer AND status = 'completed'")
        order_id = connection.execute(newest, {"customer": large_id + 1}).scalar_one()
        oldest = text("SELECT min(id) FROM orders WHERE customer_id = :customer AND returned_nanos > 0")
        oldest_id = connection.execute(oldest, {"customer": large_id + 1}).scalar_one()
    large, small, operator = (db.session.get_one(User, number) for number in (large_id, large_id + 1, operator_id))
    return LargePanel(large, small, operator, order_id, oldest_id)


def fill_statement(*, customer_id: int, lines: int) -> None:
    """Give a customer without money a year of this many deposits of one nano, as many on each day."""
    with _written_in_bulk() as connection:
        dialect = connection.dialect.name
        at = _AT[dialect].format(day="2026-01-01", seconds="n * 31536000 / :lines")
        connection.execute(text(_DEPOSITS.format(at=at)), {"lines": lines, "customer": customer_id})
        connection.execute(text("DELETE FROM account_days"))
        connection.execute(text(_DAYS.format(day=_REVISION.DAY[dialect])))
        balance = text("UPDATE accounts SET balance_nanos = :lines WHERE user_id = :customer")
        connection.execute(balance, {"lines": lines, "customer": customer_id})


@contextmanager
def _written_in_bulk() -> Iterator[Connection]:
    """A connection whose rows come without triggers: millions of them in minutes."""
    db.session.remove()
    engine = db.engine
    engine.dispose()
    with (_on_sqlite if engine.dialect.name == "sqlite" else _on_postgresql)(engine) as connection:
        yield connection
    engine.dispose()


@contextmanager
def _on_sqlite(engine: Engine) -> Iterator[Connection]:
    """Without a journal, so nobody else may have the file open; indexes are made afterward."""
    own = create_engine(engine.url, isolation_level="AUTOCOMMIT")
    with own.connect() as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -2000000", "threads = 1"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        kept = connection.exec_driver_sql(_MADE_AFTERWARD).all()
        for kind, name, _ in kept:
            connection.exec_driver_sql(f"DROP {kind} {name}")
        yield connection
        for _, _, statement in kept:
            connection.exec_driver_sql(statement)
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    own.dispose()


@contextmanager
def _on_postgresql(engine: Engine) -> Iterator[Connection]:
    """As a replica: neither triggers nor foreign keys are looked at."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
        connection.execute(text("SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
