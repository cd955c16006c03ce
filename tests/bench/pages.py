"""Public pages under load, as 200 and as 304, against Flask's hello world.

The pages are those of the sitemap, requested as browsers do. Each is measured beside hello world, in short rounds, so
that other load on the machine affects all of them alike; the ratios are medians over the rounds.
"""

import contextlib
import re
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from panel.application import create_app
from panel.clock import utc_now
from panel.db import transaction
from panel.processes.supervisor import WEB_TARGET
from panel.services.catalogue import tools
from tests.bench import goals
from tests.bench.history import served
from tests.bench.load import LoadTarget, fetch, fetch_headers, requests_per_second
from tests.support import databases

ROUNDS = goals.short(7, 2)
SECONDS = 0.25
AS_BROWSERS_ASK = {"Accept-Encoding": "gzip, deflate, br, zstd"}
GOAL, GOAL_UNCHANGED = 0.8, 1.0


def main() -> None:
    with contextlib.ExitStack() as stack:
        instance = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make_panel(instance)
        port = stack.enter_context(served(WEB_TARGET, PANEL_INSTANCE=str(instance)))
        hello = LoadTarget("hello world", stack.enter_context(served("tests.bench.bare:app")), "/hello")
        pages = [LoadTarget(path, port, path, AS_BROWSERS_ASK) for path in _paths(port)]
        unchanged = [_asked_again(page) for page in pages]
        for target in (hello, *pages, *unchanged):
            requests_per_second(target, seconds=SECONDS)
        rounds = [_round(pages, unchanged, hello) for _ in range(ROUNDS)]
        _report(pages, rounds)


def make_panel(instance: Path) -> None:
    """Create a panel with the demo's tools."""
    databases.make_sqlite_template(instance)
    app = create_app(databases.settings_for(instance))
    with app.app_context(), transaction():
        tools.import_demo(now=utc_now())
    databases.close(app)


def _paths(port: int) -> list[str]:
    sitemap = fetch(LoadTarget("sitemap", port, "/sitemap.xml")).decode()
    return [urlsplit(address).path or "/" for address in re.findall("<loc>(.+?)</loc>", sitemap)]


def _asked_again(page: LoadTarget) -> LoadTarget:
    tag = fetch_headers(page)["etag"]
    return replace(page, headers={**page.headers, "If-None-Match": tag}, status=304)


def _round(
    pages: list[LoadTarget], unchanged: list[LoadTarget], hello: LoadTarget
) -> dict[str, tuple[float, float, float]]:
    """Responses per second of each page: as 200, as 304, and of hello world beside them."""
    found = {}
    for page, again in zip(pages, unchanged, strict=True):
        sent, confirmed, beside = (requests_per_second(each, seconds=SECONDS) for each in (page, again, hello))
        found[page.path] = (sent, confirmed, beside)
    return found


def _report(pages: list[LoadTarget], rounds: list[dict[str, tuple[float, float, float]]]) -> None:
    print(f"\nAnswers a second against hello world, medians of {ROUNDS} rounds of {SECONDS:g} s, one web process:\n")
    print(f"  {'page':<44} {'bytes':>6} {'packed':>7} {'page':>7} {'ratio':>6} {'304':>7} {'ratio':>6}")
    least = least_unchanged = float("inf")
    for page in pages:
        each = [measured[page.path] for measured in rounds]
        rate, again = (statistics.median(one[place] for one in each) for place in (0, 1))
        ratio, ratio_again = (statistics.median(one[place] / one[2] for one in each) for place in (0, 1))
        least, least_unchanged = min(least, ratio), min(least_unchanged, ratio_again)
        sizes = f"{len(fetch(replace(page, headers={}))):>6,} {len(fetch(page)):>7,}"
        print(f"  {page.path:<44} {sizes} {rate:>7,.0f} {ratio:>6.2f} {again:>7,.0f} {ratio_again:>6.2f}")
    hello = statistics.median(one[2] for measured in rounds for one in measured.values())
    print(f"\n  hello world {hello:,.0f} a second")
    goals.report("slowest public page / hello world", least, at_least=GOAL)
    goals.report("slowest 304 of a public page / hello world", least_unchanged, at_least=GOAL_UNCHANGED)
