"""Duration of revision 0017 (hashes for existing rows), and of a full and an incremental audit of the chains.

A million rows with PANEL_TEST_LONG=1, else 200,000: half of them transfers, half events.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import flask_migrate

from panel.application import create_app
from panel.clock import utc_now
from panel.db import begin_snapshot, transaction
from panel.models import AccountKind, TransferKind
from panel.services.money import chain_verification, ledger
from panel.services.money.audit_parts import quietly
from panel.services.money.ledger import Posting
from panel.services.orders import transitions
from panel.services.orders.transitions import Note
from tests.bench import goals
from tests.bench.open_orders import ENGINES
from tests.support import databases, private_servers
from tests.support.factories import NOON, a_customer, a_tool, an_order

ROWS = 1_000_000 if os.environ.get("PANEL_TEST_LONG") else goals.short(200_000, 20_000)
CUSTOMERS = 100
AT_ONCE = 5_000


def main() -> None:
    for engine in ENGINES:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="panel-bench-")))
            url = stack.enter_context(private_servers.postgresql_server()) if engine == "postgresql" else ""
            app = create_app(databases.settings_for(folder, database_url=url))
            with app.app_context():
                flask_migrate.upgrade()
                _fill()
                flask_migrate.downgrade(revision="0016")
                _time(f"{engine}: backfill of {ROWS:,} rows", flask_migrate.upgrade)
                _time(f"{engine}: verified from the first row", lambda: _verify(from_start=True))
                _time(f"{engine}: verified from the checkpoint", lambda: _verify(from_start=False))
                databases.close(app)


def _time(name: str, do: Callable[[], object]) -> None:
    began = time.monotonic()
    do()
    goals.report(name, time.monotonic() - began, unit=" s")


def _fill() -> None:
    tool = a_tool()
    customers = [a_customer("1000") for _ in range(CUSTOMERS)]
    orders = [an_order(customer=customer, tool=tool).id for customer in customers]
    pot, kind = AccountKind.ADJUSTMENTS, TransferKind.ADJUSTMENT
    ids = [customer.id for customer in customers]
    for start in range(0, ROWS // 2, AT_ONCE):
        numbers = range(start, start + AT_ONCE)
        with transaction():
            ledger.post([Posting(pot, ids[n % CUSTOMERS], 1, kind, f"bench:{n}") for n in numbers], now=NOON)
            held = transitions.lock_orders(orders)
            transitions.add_notes([Note(held[orders[n % CUSTOMERS]], "Looked at.") for n in numbers], now=NOON)


def _verify(*, from_start: bool) -> None:
    begin_snapshot()
    report = chain_verification.verify(from_start=from_start, now=utc_now(), progress=quietly)
    assert report.differences == []
    with transaction():
        chain_verification.record(report, now=utc_now())
