"""The resellers' API under load: `status` with a hundred ids, and other calls, against Flask's hello world.

Every address is requested in turn, in short rounds, so that other load on the machine affects all of them alike;
the ratios are medians over the rounds.
"""

import contextlib
import json
import shutil
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from panel.application import create_app
from panel.clock import utc_now
from panel.db import transaction
from panel.processes.supervisor import WEB_TARGET
from panel.services.api import keys as api_keys
from panel.services.api.keys import NewKey
from tests.bench import goals
from tests.bench.history import ROUNDS, SECONDS, WARM_SECONDS, served
from tests.bench.load import LoadTarget, fetch, requests_per_second
from tests.bench.many_orders import panel_with
from tests.support import databases

ORDERS = 10_000
IDS = 100
NO_LIMIT = str(10**9)
GOALS = {"status, 100 ids": 0.25, "the same, uncached": 0.25, "balance": 0.8, "services": 0.8}


def main() -> None:
    with contextlib.ExitStack() as stack:
        instance = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        key = new_key(instance)
        environment = {"PANEL_INSTANCE": str(instance), "PANEL_API_REQUESTS_A_MINUTE": NO_LIMIT}
        port = stack.enter_context(served(WEB_TARGET, **environment))
        ids = ",".join(str(number) for number in range(ORDERS // IDS, ORDERS + 1, ORDERS // IDS))

        def call(name: str, **fields: str) -> LoadTarget:
            return LoadTarget(name, port, "/api/v2", body=urlencode({"key": key, **fields}).encode())

        targets = [
            call("status, 100 ids", action="status", orders=ids),
            replace(call("the same, uncached", action="status", orders=ids), is_uncached=True),
            call("status, one id", action="status", order="1"),
            call("balance", action="balance"),
            call("services", action="services"),
            LoadTarget("hello world", stack.enter_context(served("tests.bench.bare:app")), "/hello"),
        ]
        _check(fetch(targets[0]))
        for target in targets:
            requests_per_second(target, seconds=WARM_SECONDS)
        _report([{each.name: requests_per_second(each, seconds=SECONDS) for each in targets} for _ in range(ROUNDS)])


def new_key(instance: Path) -> str:
    """Add an API key for the customer with many orders, in a copy of that panel's database."""
    settings, app, customer = panel_with(ORDERS)
    customer_id = customer.id
    databases.close(app)
    shutil.copyfile(settings.instance / "panel.db", instance / "panel.db")
    copy = create_app(databases.settings_for(instance))
    with copy.app_context(), transaction():
        key = api_keys.make(customer_id, asked=NewKey("Bench"), now=utc_now()).text
    databases.close(copy)
    return key


def _check(answer: bytes) -> None:
    statuses = json.loads(answer)
    assert len(statuses) == IDS
    assert all("charge" in each for each in statuses.values())


def _report(rounds: list[dict[str, float]]) -> None:
    print(f"\nRequests a second, median of {len(rounds)} rounds of {SECONDS:g} s, one web process:")
    for name in rounds[0]:
        rate = statistics.median(measured[name] for measured in rounds)
        ratio = statistics.median(measured[name] / measured["hello world"] for measured in rounds)
        print(f"  {name:<19} {rate:>9,.0f}")
        if name != "hello world":
            goals.report(f"{name} / hello world", ratio, at_least=GOALS.get(name))
