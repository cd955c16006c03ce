"""Order history under load: against a bare page of the same size, deep against first pages, many orders against few.

Every address is requested in turn, in short rounds, so that other load on the machine affects all of them alike;
the ratios are medians over the rounds.
"""

import contextlib
import os
import re
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import replace

from panel.processes.supervisor import WEB_TARGET, web_command
from panel.settings import ROOT, Settings
from tests.bench import goals
from tests.bench.load import LoadTarget, fetch, requests_per_second
from tests.bench.many_orders import panel_with
from tests.support.servers import free_port, wait_for_port
from tests.support.session_cookies import session_cookie

MANY, FEW = goals.short(1_000_000, 50_000), goals.short(10_000, 1_000)
ROUNDS = int(os.environ.get("BENCH_ROUNDS", str(goals.short(9, 3))))
SECONDS = 1.0
WARM_SECONDS = 1.0

# Each comparison with the goal for its ratio: the least, and the most.
RATIOS: tuple[tuple[str, str, str, float | None, float | None], ...] = (
    ("history / bare page, ready-made texts", "history", "bare page", 0.8, None),
    ("history rendered each time / bare page, ready-made texts", "rendered each time", "bare page", None, None),
    ("history / bare page, the site's row template", "history", "same rows", 0.8, None),
    ("history, first page / deep page", "history", "deep page", None, 1.2),
    ("unchanged (304) / bare page, ready-made texts", "unchanged", "bare page", 8, None),
    ("unchanged (304) / hello world", "unchanged", "hello world", None, None),
    (f"history, {FEW:,} orders / {MANY:,} orders", "history of few", "history", None, 1.2),
)


def main() -> None:
    with contextlib.ExitStack() as stack:
        many, few = (_serve_panel(stack, orders) for orders in (MANY, FEW))
        page = fetch(many).decode()
        bare_port = stack.enter_context(served("tests.bench.bare:app", BENCH_BYTES=str(len(page.encode()))))
        tag = re.search(r'data-hx-ptag="(\w+)"', page)
        assert tag is not None
        targets = [
            many,
            replace(many, name="rendered each time", is_uncached=True),
            replace(many, name="deep page", path=f"/orders?after={MANY // 100}"),
            replace(
                many, name="unchanged", path="/orders/live", headers={**many.headers, "HX-PTag": tag[1]}, status=304
            ),
            replace(few, name="history of few"),
            LoadTarget("bare page", bare_port, "/page"),
            LoadTarget("same rows", bare_port, "/same-rows"),
            LoadTarget("hello world", bare_port, "/hello"),
        ]
        sizes = {target.name: len(fetch(target)) for target in targets if target.status == 200}
        _report(_measure(targets), sizes)


def _measure(targets: list[LoadTarget]) -> list[dict[str, float]]:
    for target in targets:
        requests_per_second(target, seconds=WARM_SECONDS)
    return [{target.name: requests_per_second(target, seconds=SECONDS) for target in targets} for _ in range(ROUNDS)]


def _report(rounds: list[dict[str, float]], sizes: dict[str, int]) -> None:
    print(f"\nRequests a second, median of {len(rounds)} rounds of {SECONDS:g} s, one web process:")
    for name in rounds[0]:
        rate = statistics.median(measured[name] for measured in rounds)
        print(f"  {name:<16} {rate:>9,.0f}   {f'{sizes[name]:,} bytes' if name in sizes else '304, no body'}")
    print("\nRatios, medians of the rounds:")
    for label, above, below, least, most in RATIOS:
        ratio = statistics.median(measured[above] / measured[below] for measured in rounds)
        goals.report(label, ratio, at_least=least, at_most=most)


def _serve_panel(stack: contextlib.ExitStack, orders: int) -> LoadTarget:
    settings, app, customer = panel_with(orders)
    cookie = session_cookie(app, customer)
    port = stack.enter_context(served(WEB_TARGET, PANEL_INSTANCE=str(settings.instance)))
    return LoadTarget("history", port, "/orders", {"Cookie": f"{app.config['SESSION_COOKIE_NAME']}={cookie}"})


@contextlib.contextmanager
def served(application: str, **environment: str) -> Iterator[int]:
    """The application on the site's own web server with one process, until the context ends."""
    port = free_port()
    command = [*web_command(Settings(port=port, web_workers=1))[:-1], application]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PANEL_")}
    server = subprocess.Popen(command, cwd=ROOT, env=kept | environment)
    try:
        wait_for_port(port, server)
        yield port
    finally:
        server.terminate()
        server.wait()
