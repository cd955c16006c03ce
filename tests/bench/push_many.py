"""Push hub with 10,000 open streams: none is lost while they are held, and each hears of a change at the end."""

import contextlib
import multiprocessing
import random
import tempfile
import time
from pathlib import Path

from panel.application import create_app
from panel.db import transaction
from panel.hub.streams import MAX_STREAMS_A_SESSION
from panel.processes.supervisor import allow_many_connections, hub_command
from panel.services import customer_version
from panel.settings import Settings
from tests.bench import goals
from tests.bench.process_figures import cpu_seconds, proportional_kib
from tests.bench.push import Viewer, ask, served, wait_until_connected, watch_all
from tests.support import databases
from tests.support.factories import a_customer
from tests.support.repeats import repetitions
from tests.support.servers import free_port
from tests.support.session_cookies import session_cookie

STREAMS = goals.short(10_000, 2_500)
SECONDS = repetitions(goals.short(60, 10), long=300)
COMMITS_A_SECOND = 10
# The last change is sent to all streams together.
SEND_SECONDS = 10.0


def main() -> None:
    allow_many_connections()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        instance = Path(folder)
        databases.make_sqlite_template(instance)
        app = create_app(databases.settings_for(instance))
        stack.callback(databases.close, app)
        stack.enter_context(app.app_context())
        customers = [a_customer() for _ in range(STREAMS // MAX_STREAMS_A_SESSION)]
        port = free_port()
        viewers = [
            Viewer(user.id, cookie, port)
            for user, cookie in ((user, session_cookie(app, user)) for user in customers)
            for _stream in range(MAX_STREAMS_A_SESSION)
        ]
        hub = stack.enter_context(served(instance, hub_command(Settings(hub_port=port)), port))
        mine, theirs = multiprocessing.Pipe()
        multiprocessing.get_context("spawn").Process(target=watch_all, args=(viewers, theirs), daemon=True).start()
        wait_until_connected(mine, times=1)
        used = cpu_seconds(hub)
        _commit([user.id for user in customers])
        goals.report(f"CPU of the hub with {STREAMS:,} streams", 100 * (cpu_seconds(hub) - used) / SECONDS, unit=" %")
        goals.report("memory of the hub", proportional_kib(hub) / 1024, unit=" MiB")
        _rows, connected = ask(mine)
        goals.report(f"streams lost of {STREAMS:,} held for {SECONDS} s", sum(n != 1 for n in connected), at_most=0)
        began = time.monotonic()
        with transaction():
            customer_version.bump([user.id for user in customers])
        rows: list[tuple[int, int, float]] = []
        while len(rows) < len(viewers) and time.monotonic() < began + SEND_SECONDS:
            time.sleep(0.2)
            rows += ask(mine)[0]
        goals.report("streams that didn't hear of the last change", len(viewers) - len(rows), at_most=0)
        goals.report("the last one heard after", max(at for _user, _version, at in rows) - began, unit=" s")
        mine.send(None)


def _commit(user_ids: list[int]) -> None:
    ends_at = time.monotonic() + SECONDS
    while time.monotonic() < ends_at:
        with transaction():
            customer_version.bump([random.choice(user_ids)])
        time.sleep(1 / COMMITS_A_SECOND)
