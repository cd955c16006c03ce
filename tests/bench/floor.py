"""Floor of a request: CPU time of every page of those who are logged in, against a bare Flask + Jinja page of its size.

Both run in this process, in turn, and each figure is a median of their ratios. Beside them: the history and its live
region after a change, a row that no cache has, and the memory of the web process against bare Flask on the same server.
"""

import contextlib
import gc
import itertools
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from flask import render_template

from panel.application import create_app
from panel.blueprints.orders import history_cache, history_rows
from panel.db import transaction
from panel.services import customer_version
from panel.services.orders import history as order_history
from tests.bench import bare, goals
from tests.bench.history import served
from tests.bench.load import LoadTarget, requests_per_second
from tests.bench.many_orders import panel_with
from tests.bench.process_figures import family
from tests.bench.request_cpu import sender
from tests.support import databases, logged_in_pages
from tests.support.servers import running_panel
from tests.support.session_cookies import session_cookie

ROUNDS = goals.short(11, 5)
OURS, BARE = 6, 30
ORDERS = 10_000
SHOWN = goals.short(12, 3)
# As `/orders` and `/orders/live` are measured: after each change, which every other page reads anyway.
GOALS = {"/orders": 1.5, "/orders/live": 2.0}
GOAL = 0.4
MOST_ROW_MICROSECONDS = 40
MOST_MEMORY = 1.8

Sender = Callable[[], object]


class PageCost(NamedTuple):
    """How often a page could be answered in the time of a bare one of its size, and what it takes."""

    ratio: float
    microseconds: float
    rule: str


def main() -> None:
    bare.app.add_url_rule("/of/<int:rows>/<int:padding>", view_func=_bare_page)
    with contextlib.ExitStack() as stack:
        instance = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _report_pages(_pages(instance))
    _report_history()
    _report_memory()


def _pages(instance: Path) -> list[PageCost]:
    databases.make_sqlite_template(instance)
    app = create_app(databases.settings_for(instance), is_web=True)
    with app.app_context():
        pages = logged_in_pages.pages(app)
    costs = []
    for page in pages:
        send = sender(app, page.path, Cookie=f"session={page.cookie}", Accept_Encoding="identity")
        headers = send()
        if headers.get("Content-Type", "").startswith("text/html") and page.rule not in GOALS:
            costs.append(_cost(page.rule, send, _bare(int(headers["Content-Length"]))))
    databases.close(app)
    return sorted(costs)


def _report_pages(costs: list[PageCost]) -> None:
    print(f"\nThe slowest of {len(costs)} pages, against a bare page of the same size:")
    for cost in costs[:SHOWN]:
        print(f"  {cost.rule:<50} {cost.microseconds:>9,.0f} µs {cost.ratio:>6.2f}")
    for name, some in (
        ("customers", [cost for cost in costs if not cost.rule.startswith("/office")]),
        ("office", [cost for cost in costs if cost.rule.startswith("/office")]),
    ):
        goals.report(f"{name}: slowest page / bare page", some[0].ratio, at_least=GOAL)
        goals.report(f"{name}: median page / bare page", statistics.median(cost.ratio for cost in some))
    met = sum(cost.ratio >= GOAL for cost in costs)
    goals.report("share of pages that meet the goal", 100 * met / len(costs), unit=" %")


def _report_history() -> None:
    _settings, app, customer = panel_with(ORDERS)
    customer_id, cookie = customer.id, session_cookie(app, customer)

    def change() -> None:
        with app.app_context(), transaction():
            customer_version.bump([customer_id])

    for path, goal in GOALS.items():
        send = sender(app, path, Cookie=f"session={cookie}", Accept_Encoding="identity")
        size = int(send()["Content-Length"])
        cost = _cost(path, send, _bare(size), before=change)
        goals.report(f"{path} after a change / bare page", cost.ratio, at_least=goal)
    caches = history_cache.of_app()

    def forget() -> None:
        for cache in vars(caches).values():
            cache.clear()
        change()

    # Each has another address, of which the middleware knows nothing either.
    addresses = (f"/orders?request={number}" for number in itertools.count())
    pages = [
        sender(app, next(addresses), Cookie=f"session={cookie}", Accept_Encoding="identity")
        for _ in range(ROUNDS * OURS + 2)
    ]
    size, unknown = int(pages.pop()()["Content-Length"]), iter(pages)

    def send_unknown() -> object:
        return next(unknown)()

    cost = _cost("/orders", send_unknown, _bare(size), before=forget)
    goals.report("/orders with nothing cached / bare page", cost.ratio, at_least=0.45)
    goals.report("a row that is not cached", _row_microseconds(customer_id), at_most=MOST_ROW_MICROSECONDS, unit=" µs")


def _row_microseconds(customer_id: int) -> float:
    """CPU time of rendering a row, without the reads."""
    render = history_rows._row_renderer(1, 2026)
    rows = list(order_history.in_full(customer_id, order_ids=range(ORDERS - 25, ORDERS)))
    return statistics.median(_cpu(lambda: [render(row) for row in rows], OURS) / len(rows) for _ in range(ROUNDS))


def _cost(rule: str, ours: Sender, bare_page: Sender, *, before: Sender | None = None) -> PageCost:
    for send in (ours, bare_page):
        send()
    gc.collect()
    gc.freeze()
    spent = [(_cpu(ours, OURS, before=before), _cpu(bare_page, BARE)) for _ in range(ROUNDS)]
    ratio = statistics.median(theirs / mine for mine, theirs in spent)
    return PageCost(ratio, statistics.median(mine for mine, _theirs in spent), rule)


def _cpu(send: Sender, times: int, *, before: Sender | None = None) -> float:
    """Microseconds of CPU time of one request; `before` each of them is not measured."""
    spent = 0.0
    for _ in range(times):
        if before is not None:
            before()
        began = time.process_time()
        send()
        spent += time.process_time() - began
    return spent / times * 1e6


def _bare(size: int) -> Sender:
    """A bare page of about this many bytes: as many rows as fit, up to 25, and padding."""
    with bare.app.app_context():
        shell, whole = (len(_rendered(rows, 0)) for rows in (0, len(bare.ROWS)))
    row = (whole - shell) / len(bare.ROWS)
    rows = max(0, min(len(bare.ROWS), int((size - shell) / row)))
    return sender(bare.app, f"/of/{rows}/{max(0, int(size - shell - rows * row))}")


def _bare_page(rows: int, padding: int) -> str:
    return _rendered(rows, padding)


def _rendered(rows: int, padding: int) -> str:
    return render_template("page.html", title="Orders", rows=bare.ROWS[:rows], padding="x" * padding)


def _report_memory() -> None:
    """The product as README runs it, whose web processes share what they imported, against bare Flask on its server."""
    usual = {"PANEL_WEB_WORKERS": "2", "PANEL_HUB": "true"}
    with tempfile.TemporaryDirectory() as folder, running_panel(Path(folder), is_cold=True, **usual) as panel:
        requests_per_second(LoadTarget("panel", panel.port, "/faq"), seconds=1)
        assert panel.process is not None
        ours = max(_pss(each) for each in family(panel.process.pid) if _name(each) == "panel-web")
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(served("tests.bench.hello:app"))
        requests_per_second(LoadTarget("bare", port, "/hello"), seconds=1)
        theirs = max(_pss(each) for each in _listening(port))
    print(f"PSS of a web process {ours / 1024:.0f} MiB, of bare Flask {theirs / 1024:.0f} MiB")
    goals.report("PSS of a web process / bare Flask", ours / theirs, at_most=MOST_MEMORY)


def _name(process: int) -> str:
    return Path(f"/proc/{process}/comm").read_text().strip()


def _listening(port: int) -> Iterator[int]:
    """The processes of the server on this port."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().split(b"\0")
            if b"--port" in command and command[command.index(b"--port") + 1] == str(port).encode():
                yield int(folder.name)


def _pss(process: int) -> int:
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
