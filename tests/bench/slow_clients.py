"""Bench of slow-client protection: a cached page with and without it, and `/healthz` during an attack."""

import contextlib
import os
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from panel.processes.supervisor import WEB_TARGET, web_command
from panel.settings import ROOT, Settings
from tests.bench import goals
from tests.bench.load import LoadTarget, fetch, requests_per_second
from tests.bench.pages import AS_BROWSERS_ASK, make_panel
from tests.support.servers import free_port, wait_for_port

ROUNDS = goals.short(15, 5)
SECONDS = 0.4
SLOW, PROBES = 200, 8
GOAL = 0.8
BEGINNINGS = (
    b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /log-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n",
)


def main() -> None:
    with contextlib.ExitStack() as stack:
        instance = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_panel(instance)
        protected = stack.enter_context(_served(instance, WEB_TARGET))
        bare = stack.enter_context(_served(instance, "app:app", **{"--blocking-threads": "4"}))
        page, page_bare = (LoadTarget(str(port), port, "/", AS_BROWSERS_ASK) for port in (protected, bare))
        ratios, rates = [], []
        for _ in range(ROUNDS):
            without, having, again = (
                requests_per_second(each, seconds=SECONDS) for each in (page_bare, page, page_bare)
            )
            ratios.append(2 * having / (without + again))
            rates.append(having)
        times = _probe(protected)
    print(f"\nCached page: {statistics.median(rates):,.0f} a second; medians of {ROUNDS} rounds")
    goals.report("cached page with protection / without", statistics.median(ratios), at_least=GOAL)
    print(f"/healthz during {SLOW} slow connections, {PROBES} probes: slowest {max(times) * 1000:,.0f} ms")


@contextlib.contextmanager
def _served(instance: Path, target: str, **options: str) -> Iterator[int]:
    port = free_port()
    command = web_command(Settings(port=port, web_workers=1))[:-1]
    for name, value in options.items():
        command[command.index(name) + 1] = value
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PANEL_")}
    server = subprocess.Popen([*command, target], cwd=ROOT, env=kept | {"PANEL_INSTANCE": str(instance)})
    try:
        wait_for_port(port, server)
        yield port
    finally:
        server.terminate()
        server.wait()


def _probe(port: int) -> list[float]:
    """Response times while other clients send their requests a byte at a time."""
    times = []
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(SLOW)]
        for number, client in enumerate(slow):
            client.sendall(BEGINNINGS[number % 2])
        for _ in range(PROBES):
            for client in slow:
                with contextlib.suppress(OSError):
                    client.sendall(b"1")
            began = time.perf_counter()
            fetch(LoadTarget("healthz", port, "/healthz"))
            times.append(time.perf_counter() - began)
            time.sleep(SECONDS)
    return times
