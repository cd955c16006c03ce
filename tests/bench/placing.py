"""Placing an order over HTTP, beside the statements that it writes, raw: one transaction for each, synchronous=FULL.

The web process is the server that production runs; the raw statements run in this process, on a connection of their
own to the same database, in turn. Not measured on PostgreSQL, whose server is a process of its own.
"""

import http.client
import re
import statistics
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import select

from panel.application import create_app
from panel.clock import utc_now
from panel.db import db
from panel.models import Account, AccountKind
from panel.processes.supervisor import web_command
from panel.services.catalogue import tools
from panel.services.orders import placing
from panel.settings import Settings
from tests.bench import goals, raw
from tests.bench.push import served
from tests.support import databases
from tests.support.factories import LINK, a_customer, a_tool
from tests.support.servers import free_port
from tests.support.session_cookies import session_cookie

TURNS = goals.short(20, 8)
ORDERS = 25
QUANTITY = 100

ORDER = (
    "INSERT INTO orders (customer_id, tool_id, terms_id, link, quantity, price_micros_per_thousand, charge_nanos,"
    " request_id, placed_at, status, remains, kept_nanos, returned_nanos, reason, version, provider_id,"
    " provider_service, dispatch_at, chain_hash, is_package)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, 0, 0, '', 1, ?, ?, ?, '', 0)"
)
BALANCE = "UPDATE accounts SET balance_nanos = balance_nanos - ?, chain_hash = ? WHERE id = ? AND balance_nanos >= ?"
TRANSFER = (
    "INSERT INTO transfers (from_account_id, to_account_id, amount_nanos, kind, order_id, reason, note, at, chain_hash)"
    " VALUES (?, ?, ?, 'charge', ?, ?, '', ?, ?)"
)
HEAD = "UPDATE orders SET chain_hash = ? WHERE id = ?"
EVENT = (
    "INSERT INTO events (order_id, kind, source, old_status, status, remains, start_count, kept_nanos, returned_nanos,"
    " version, text, raw, at, chain_hash)"
    " VALUES (?, 'placed', 'you', NULL, 'pending', ?, NULL, 0, 0, 1, 'Order placed and charged.', '', ?, ?)"
)
COUNT = (
    "INSERT INTO order_counts (customer_id, status, orders) VALUES (?, 'pending', 1)"
    " ON CONFLICT (customer_id, status) DO UPDATE SET orders = orders + 1"
)
HASH = "0" * 40


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        databases.make_sqlite_template(Path(folder))
        app = create_app(databases.settings_for(Path(folder)))
        with app.app_context():
            customer, tool = a_customer("100000"), a_tool()
            cookie, port = session_cookie(app, customer), free_port()
            statements = _RawPlacing(customer.id, tool.slug)
            db.session.rollback()
            with served(Path(folder), web_command(Settings(port=port, web_workers=1)), port):
                site = _Site(port, cookie, tool.slug)
                for place in (site.place, statements.place):
                    place()
                turns = [(_seconds(site.place), _seconds(statements.place)) for _ in range(TURNS)]
            statements.connection.close()
        databases.close(app)
    ours, bare = (statistics.median(times) for times in zip(*turns, strict=True))
    print(f"an order over HTTP {ours * 1e3:.2f} ms, its statements {bare * 1e3:.2f} ms")
    ratio = statistics.median(theirs / mine for mine, theirs in turns)
    goals.report("order placed over HTTP / the same statements, raw, at FULL", ratio, at_least=0.3)


def _seconds(place: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(ORDERS):
        place()
    return (time.perf_counter() - began) / ORDERS


class _Site:
    """A customer's browser, which sends the form on one connection."""

    def __init__(self, port: int, cookie: str, slug: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Cookie": f"session={cookie}", "Content-Type": "application/x-www-form-urlencoded"}
        self._connection.request("GET", f"/orders/new?tool={slug}", headers=self._headers)
        page = self._connection.getresponse().read().decode()
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert found is not None
        self._form = {"tool": slug, "link": LINK, "quantity": str(QUANTITY), "csrf_token": found[1]}

    def place(self) -> None:
        body = urllib.parse.urlencode(self._form | {"request_id": placing.new_request_id()})
        self._connection.request("POST", "/orders", body, self._headers)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.SEE_OTHER, answer.status


class _RawPlacing:
    def __init__(self, customer_id: int, slug: str) -> None:
        offer = tools.find(slug)
        assert offer is not None
        self._customer, self._offer = customer_id, offer
        accounts = db.session.execute(select(Account.id, Account.kind, Account.user_id)).all()
        self._account = next(row.id for row in accounts if row.user_id == customer_id)
        self._holds = next(row.id for row in accounts if row.kind == AccountKind.HOLDS)
        db.session.rollback()
        self.connection = raw.RawConnection()

    def place(self) -> None:
        do, offer, at = self.connection, self._offer, self.connection.moment(utc_now())
        charge = offer.charge_nanos(QUANTITY)
        asked = (offer.terms_id, LINK, QUANTITY, offer.price_micros_per_thousand, charge, placing.new_request_id(), at)
        do.begin()
        do.one(ORDER, (self._customer, offer.tool_id, *asked, QUANTITY, offer.provider_id, offer.provider_service, at))
        order_id = do.cursor.lastrowid
        do.one(BALANCE, (charge, HASH, self._account, charge))
        do.one(TRANSFER, (self._account, self._holds, charge, order_id, f"charge:order:{order_id}", at, HASH))
        do.one(HEAD, (HASH, order_id))
        do.one(EVENT, (order_id, QUANTITY, at, HASH))
        do.one(COUNT, (self._customer,))
        do.one(raw.CUSTOMER, (self._customer,))
        do.commit()
