"""Random kills while orders are placed and delivered: every process restarts, and no cent is lost."""

import json
import os
import random
import signal
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.processes.ordering_customer import OrderingCustomer
from tests.processes.test_supervisor import all_are_pending, children_of, descendants
from tests.support.repeats import repetitions
from tests.support.servers import Panel, running_panel
from tests.support.waiting import until

KILLS = repetitions(10, long=200)
FEWEST_ORDERS = 5
QUICK = {"PANEL_SYNC_SECONDS": "1", "PANEL_LEASE_SECONDS": "5", "PANEL_WEB_WORKERS": "2"}


def test_ledger_stays_consistent_however_often_processes_are_killed(tmp_path: Path) -> None:
    draw = random.Random(20)
    with running_panel(tmp_path, "--demo", **QUICK) as panel:
        customer = OrderingCustomer(panel, email="buyer@example.com")
        customer.sign_up()
        assert panel.flask("balance", "add", customer.email, "50", "--note", "Arrived.").returncode == 0
        enough = threading.Event()
        placing = threading.Thread(target=customer.place_until, args=(enough,))
        placing.start()
        try:
            for number in range(KILLS):
                time.sleep(draw.uniform(0.1, 1.5))
                kill_one(panel, draw)
                if number == KILLS // 2:
                    assert_sound(panel)
            assert until(lambda: len(customer.placed) >= FEWEST_ORDERS or customer.failure is not None)
        finally:
            enough.set()
            placing.join(60)

        panel.wait_until_it_answers()
        panel.wait_until_it_answers(path="/readyz")
        assert until(lambda: has_all_children(panel))
        assert until(lambda: not all_are_pending(panel))
        assert_sound(panel)

    assert not placing.is_alive() and customer.failure is None
    assert "starts again" in panel.log
    assert len(customer.placed) >= FEWEST_ORDERS
    assert_each_was_placed_and_charged_once(panel, customer)


def kill_one(panel: Panel, draw: random.Random) -> None:
    """Kill one of the panel's processes: its server, a web process of the server, or its worker."""
    alive = descendants(panel)
    if alive:
        os.kill(draw.choice(alive), signal.SIGKILL)


def has_all_children(panel: Panel) -> bool:
    """Whether the supervisor's children are there: the web server and the worker."""
    assert panel.process is not None
    return len(children_of(panel.process.pid)) == 2


def assert_sound(panel: Panel) -> None:
    audit = panel.flask("audit", "--json")
    result = json.loads(audit.stdout)
    assert (audit.returncode, result["sound"], result["differences"]) == (0, True, []), audit.stderr


def assert_each_was_placed_and_charged_once(panel: Panel, customer: OrderingCustomer) -> None:
    """Each form created exactly the order in its response, with one charge; there are no other orders."""
    with closing(sqlite3.connect(panel.instance / "panel.db")) as database:
        orders = database.execute(
            "SELECT orders.request_id, orders.id, count(transfers.id) FROM orders"
            " JOIN users ON users.id = orders.customer_id AND users.email = ?"
            " LEFT JOIN transfers ON transfers.order_id = orders.id AND transfers.kind = 'charge'"
            " GROUP BY orders.id",
            [customer.email],
        ).fetchall()
    assert {request_id: order_id for request_id, order_id, _ in orders} == customer.placed
    assert {charges for _, _, charges in orders} == {1}
