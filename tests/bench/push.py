"""Push hub benchmark: time from commit to event, CPU and memory of idle viewers, and a restart with all of them.

Polling is measured beside it: the CPU time of the same number of unchanged polls every three seconds.
"""

import asyncio
import contextlib
import http.client
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from panel.application import create_app
from panel.db import transaction
from panel.hub.commits import BUSY_FOR_SECONDS
from panel.processes.supervisor import allow_many_connections, hub_command, web_command
from panel.services import customer_version
from panel.settings import ROOT, Settings
from tests.bench import goals
from tests.bench.process_figures import cpu_seconds, proportional_kib
from tests.support import databases
from tests.support.factories import a_customer
from tests.support.repeats import repetitions
from tests.support.servers import free_port, wait_for_port
from tests.support.session_cookies import session_cookie

VIEWERS = goals.short(repetitions(2_000, long=10_000), 500)
COMMITS_A_SECOND = 100
SECONDS = goals.short(15, 5)
POLLS, POLL_SECONDS = 2_000, 3


@dataclass
class Viewer:
    """A page with an open stream: received versions with their times, and the number of connections."""

    user_id: int
    cookie: str
    port: int
    sent: list[tuple[int, float]] = field(default_factory=list)
    connected: int = 0

    async def watch(self) -> None:
        last, retry = "", 1.0
        while True:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                head = f"GET /push HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: session={self.cookie}\r\n"
                writer.write(f"{head}{f'Last-Event-ID: {last}' + chr(13) + chr(10) if last else ''}\r\n".encode())
                while line := await reader.readline():
                    text = line.decode().strip()
                    if text.startswith("HTTP/1.1 200"):
                        self.connected += 1
                    elif text.startswith("retry: "):
                        retry = int(text[7:]) / 1000
                    elif text.startswith("id: "):
                        last = text[4:]
                        self.sent.append((int(last.partition(".")[0]), time.monotonic()))
            await asyncio.sleep(retry)


def watch_all(viewers: list[Viewer], pipe: Connection) -> None:
    """Run the viewers in a separate process. Replies to each message with the events since the last one."""

    async def run() -> None:
        tasks = [asyncio.create_task(viewer.watch()) for viewer in viewers]
        while await asyncio.to_thread(pipe.recv) is not None:
            pipe.send(([(each.user_id, *row) for each in viewers for row in each.sent], [v.connected for v in viewers]))
            for viewer in viewers:
                viewer.sent.clear()
        for task in tasks:
            task.cancel()

    allow_many_connections()
    asyncio.run(run())


def main() -> None:
    allow_many_connections()
    with contextlib.ExitStack() as stack:
        instance = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases.make_sqlite_template(instance)
        app = create_app(databases.settings_for(instance))
        with app.app_context():
            _bench(instance, [(user.id, session_cookie(app, user)) for user in (a_customer() for _ in range(VIEWERS))])
        databases.close(app)


def _bench(instance: Path, people: list[tuple[int, str]]) -> None:
    port = free_port()
    with served(instance, hub_command(Settings(hub_port=port)), port) as hub:
        empty = proportional_kib(hub)
        mine, theirs = multiprocessing.Pipe()
        viewers = [Viewer(user_id, cookie, port) for user_id, cookie in people]
        process = multiprocessing.get_context("spawn").Process(target=watch_all, args=(viewers, theirs), daemon=True)
        process.start()
        wait_until_connected(mine, times=1)
        goals.report(
            f"memory of each of {VIEWERS:,} viewers", (proportional_kib(hub) - empty) / VIEWERS, at_most=60, unit=" KiB"
        )
        # Right after streams are opened the hub checks more often.
        time.sleep(BUSY_FOR_SECONDS + 1)
        began = cpu_seconds(hub)
        time.sleep(SECONDS)
        idle = (cpu_seconds(hub) - began) / SECONDS / VIEWERS * 1000
        _print_delays(mine, [user_id for user_id, _cookie in people])
    with served(instance, hub_command(Settings(hub_port=port)), port):
        began = time.monotonic()
        changed = people[0][0]
        with transaction():
            customer_version.bump([changed])
        rows = wait_until_connected(mine, times=2)
        goals.report("all viewers back after a restart", time.monotonic() - began, at_most=10, unit=" s")
        got = sum(user_id == changed for user_id, *_ in rows)
        goals.report("events to the one that changed during the restart", got, at_least=1)
    mine.send(None)
    polling = _polling(instance, people)
    goals.report("idle CPU time of 1,000 viewers / of as many that poll", idle / polling, at_most=0.05)


def _print_delays(pipe: Connection, user_ids: list[int]) -> None:
    ask(pipe)
    committed: dict[int, list[tuple[float, float]]] = {}
    starts_at = time.monotonic()
    for number in range(COMMITS_A_SECOND * SECONDS):
        time.sleep(max(0.0, starts_at + number / COMMITS_A_SECOND - time.monotonic()))
        user_id, began = random.choice(user_ids), time.monotonic()
        with transaction():
            customer_version.bump([user_id])
        committed.setdefault(user_id, []).append((began, time.monotonic()))
    time.sleep(1)
    rows, _connected = ask(pipe)
    delays, missed = [], 0
    for user_id, times in committed.items():
        received = sorted(at for other, _version, at in rows if other == user_id)
        for began, done in times:
            # Readers see a commit before it returns; much earlier, if it runs a checkpoint.
            later = [at for at in received if at > began]
            if later:
                delays.append(max(0.0, later[0] - done))
            else:
                missed += 1
    cuts = statistics.quantiles(delays, n=100)
    print(f"{COMMITS_A_SECOND} commits a second, commit to signal:")
    for percent, most in ((50, None), (95, 25), (99, None)):
        goals.report(f"p{percent} of the time to the signal", cuts[percent - 1] * 1000, at_most=most, unit=" ms")
    goals.report("changes without a signal", missed, at_most=0)


def ask(pipe: Connection) -> tuple[list[tuple[int, int, float]], list[int]]:
    pipe.send("what was sent?")
    answer: tuple[list[tuple[int, int, float]], list[int]] = pipe.recv()
    return answer


def wait_until_connected(pipe: Connection, *, times: int) -> list[tuple[int, int, float]]:
    rows = []
    while True:
        fresh, connected = ask(pipe)
        rows += fresh
        if min(connected) >= times:
            return rows
        time.sleep(0.1)


def _polling(instance: Path, people: list[tuple[int, str]]) -> float:
    """CPU time per second for 1,000 pages that poll every three seconds, each answered with 304."""
    port = free_port()
    with served(instance, web_command(Settings(port=port, web_workers=1)), port) as web:
        cookie = people[0][1]
        headers = {"Cookie": f"session={cookie}", "HX-Request": "true"}
        connection = http.client.HTTPConnection("127.0.0.1", port)
        began = 0.0
        for number in range(POLLS + 1):
            connection.request("GET", "/orders/live", headers=headers)
            answer = connection.getresponse()
            answer.read()
            headers["HX-PTag"] = answer.headers["HX-PTag"]
            if number == 0:
                began = cpu_seconds(web)
        assert answer.status == http.HTTPStatus.NOT_MODIFIED
        return (cpu_seconds(web) - began) / POLLS * 1000 / POLL_SECONDS


@contextlib.contextmanager
def served(instance: Path, command: list[str], port: int) -> Iterator[int]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PANEL_")}
    server = subprocess.Popen(command, cwd=ROOT, env=kept | {"PANEL_INSTANCE": str(instance)}, stderr=sys.stderr)
    try:
        wait_for_port(port, server)
        yield server.pid
    finally:
        server.terminate()
        server.wait()
