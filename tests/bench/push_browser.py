"""Push in a real browser under load: time from a commit until the row on the open page has changed.

As many viewers and commits a second as in `push`; a few commits a second move the order that Chromium shows.
"""

import contextlib
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from panel.application import create_app
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.status import Status
from panel.models import Order, User
from panel.processes.supervisor import allow_many_connections
from panel.services import customer_version
from panel.services.orders import transitions
from tests.bench import goals
from tests.bench.push import COMMITS_A_SECOND, VIEWERS, Viewer, wait_until_connected, watch_all
from tests.support import databases, servers
from tests.support.factories import a_customer, an_order
from tests.support.session_cookies import session_cookie

SECONDS = goals.short(15, 8)
# Of the commits, each one of this many moves the order that the browser shows.
ONE_OF = 25
# Keeps, for each number of delivered pieces, when the page showed it first.
OBSERVE = """(id) => {
    window.shownAt = {};
    new MutationObserver(() => {
        const delivered = document.getElementById(`count-${id}`).textContent.trim().split(" ")[0];
        window.shownAt[delivered] ??= Date.now() / 1000;
    }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


def main() -> None:
    allow_many_connections()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        settings = {"PANEL_WORKER": "false", "PANEL_HUB": "true"}
        panel = stack.enter_context(servers.running_panel(Path(folder), is_cold=True, **settings))
        hub_port = int(panel.environment["PANEL_HUB_PORT"])
        app = create_app(databases.settings_for(panel.instance, port=panel.port))
        stack.callback(databases.close, app)
        stack.enter_context(app.app_context())
        order = an_order(customer=(seen := a_customer("1000")), status=Status.IN_PROGRESS, quantity=1_000)
        people = [(user.id, session_cookie(app, user)) for user in (a_customer() for _ in range(VIEWERS))]
        mine, theirs = multiprocessing.Pipe()
        viewers = [Viewer(user_id, cookie, hub_port) for user_id, cookie in people]
        multiprocessing.get_context("spawn").Process(target=watch_all, args=(viewers, theirs), daemon=True).start()
        wait_until_connected(mine, times=1)
        path = servers.chromium()
        with sync_playwright() as playwright:
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=path, args=["--disable-gpu", *sandbox])
            page = _page(browser.new_page(), panel.url, session_cookie(app, seen), order)
            committed = _commit(order, [user_id for user_id, _cookie in people], seen)
            time.sleep(1)
            shown = {int(delivered): at for delivered, at in page.evaluate("window.shownAt").items()}
            browser.close()
        mine.send(None)
    _report(committed, shown)


def _page(page: Page, site: str, cookie: str, order: Order) -> Page:
    page.context.add_cookies([{"name": "session", "value": cookie, "url": site}])
    page.goto(f"{site}/orders")
    page.wait_for_function("() => isPushed()")
    page.evaluate(OBSERVE, order.id)
    return page


def _commit(order: Order, others: list[int], seen: User) -> dict[int, float]:
    """Commit as often as `push` does. When each number of delivered pieces was committed."""
    committed = {}
    starts_at = time.monotonic()
    for number in range(COMMITS_A_SECOND * SECONDS):
        time.sleep(max(0.0, starts_at + number / COMMITS_A_SECOND - time.monotonic()))
        delivered, rest = divmod(number + 1, ONE_OF)
        with transaction():
            if rest:
                customer_version.bump([random.choice(others)])
            else:
                locked = transitions.lock_order(order.id)
                transitions.move_order(locked, Status.IN_PROGRESS, remains=1_000 - delivered, now=utc_now())
        if not rest:
            committed[delivered] = time.time()
    return committed


def _report(committed: dict[int, float], shown: dict[int, float]) -> None:
    delays, missed = [], 0
    for delivered, at in committed.items():
        # A page that shows a later number has shown this change too.
        seen_at = [when for other, when in shown.items() if other >= delivered]
        if seen_at:
            delays.append(min(seen_at) - at)
        else:
            missed += 1
    cuts = statistics.quantiles(delays, n=20)
    goals.report("p50 from the commit to the row in Chromium", statistics.median(delays) * 1000, unit=" ms")
    goals.report("p95 from the commit to the row in Chromium", cuts[18] * 1000, at_most=150, unit=" ms")
    goals.report("changes that Chromium didn't show", missed, at_most=0)
