"""Memory over load: the whole product while every page is opened again and again and streams come and go.

Memory that a page needs is allocated when it is first opened, so growth counts from the end of the warm-up on.
"""

import contextlib
import http.client
import random
import tempfile
import time
from pathlib import Path

from panel.application import create_app
from panel.db import db, transaction
from panel.models import Catalogue, User
from panel.processes.supervisor import allow_many_connections
from panel.services import customer_version
from tests.bench import goals
from tests.bench.process_figures import family, proportional_kib
from tests.support import databases, logged_in_pages, servers
from tests.support.logged_in_pages import LoggedInPage
from tests.support.repeats import repetitions
from tests.support.servers import Panel

SECONDS = repetitions(goals.short(180, 40), long=3600)
# Both web processes have opened every page several times by then.
WARM_UP_PAGES = goals.short(4_000, 1_000)
# Of the pages, one of this many is opened after a commit that changes what is shown to everyone.
ONE_OF = 50
MIB = 1024


def main() -> None:
    allow_many_connections()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        settings = {"PANEL_WORKER": "true", "PANEL_HUB": "true", "PANEL_WEB_WORKERS": "2"}
        panel = stack.enter_context(servers.running_panel(Path(folder), is_cold=True, **settings))
        assert panel.process is not None
        app = create_app(databases.settings_for(panel.instance, port=panel.port))
        stack.callback(databases.close, app)
        with app.app_context():
            pages = logged_in_pages.pages(app)
            goals.report("memory before the first page", proportional_kib(panel.process.pid) / MIB, unit=" MiB")
            for _number in range(WARM_UP_PAGES):
                _open(panel, random.choice(pages))
            processes = family(panel.process.pid)
            before = proportional_kib(panel.process.pid)
            goals.report("memory after the warm-up", before / MIB, unit=" MiB")
            opened = _open_until(panel, pages, time.monotonic() + SECONDS)
            assert family(panel.process.pid) == processes, "a process was started again"
            growth = proportional_kib(panel.process.pid) - before
    print(f"{opened:,} pages in {SECONDS:,} s")
    goals.report("growth of memory over the rest", 100 * growth / before, at_most=5, unit=" %")


def _open_until(panel: Panel, pages: list[LoggedInPage], ends_at: float) -> int:
    number = 0
    while time.monotonic() < ends_at:
        if number % ONE_OF == 0:
            _change()
        _open(panel, random.choice(pages))
        number += 1
    return number


def _change() -> None:
    """Change what every page shows, so that caches must make theirs again."""
    with transaction():
        customer_version.bump(db.session.scalars(db.select(User.id)).all())
        db.session.execute(db.update(Catalogue).values(version=Catalogue.version + 1))


def _open(panel: Panel, page: LoggedInPage) -> None:
    """Open the page as a browser does: on a connection of its own, and with a stream of the hub."""
    hub_port = int(panel.environment["PANEL_HUB_PORT"])
    for port, path in ((panel.port, page.path), (hub_port, "/push")):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers=page.headers)
        answer = connection.getresponse()
        if port == panel.port:
            answer.read()
        connection.close()
