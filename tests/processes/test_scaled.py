"""Two web processes and two workers on one PostgreSQL and one Redis; each web process has its own instance folder.

Their provider is a whole panel too, which counts how often each order was sent. One worker is killed while orders
are delivered.
"""

import itertools
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.processes.beside import another_worker
from tests.support import databases, panel_chain
from tests.support.panel_chain import CUSTOMER, Browser, PanelExport, ResoldTool, Watch
from tests.support.private_servers import PrivateServer
from tests.support.servers import a_panel
from tests.support.waiting import until

SHARED = {"PANEL_WORKER": "false", "PANEL_SECRET_KEY": "s" * 40, "PANEL_SEAL_KEY": "k" * 40, "PANEL_SYNC_SECONDS": "1"}
TOOLS = ("newsletter-readers", "always-ends-partial-demo", "always-ends-canceled-demo", "article-reads")
AFTER_THE_KILL = "always-ends-canceled-demo"
ROUNDS = 3
ORDERS = len(TOOLS) * ROUNDS + 1
QUANTITY = 100
HANDED_OVER_SECONDS, RUNS_SECONDS, ENDS_SECONDS = 90, 90, 240


@dataclass(frozen=True)
class Poll:
    """A web process's response to a poll just after another one placed an order."""

    number: int
    status: int
    has_order: bool


@dataclass(frozen=True)
class ScaledRun:
    """What the run showed: polls, statuses seen on pages, and both panels' final exports."""

    polls: list[Poll]
    seen: dict[int, list[str]]
    ours: PanelExport
    theirs: PanelExport
    statement: list[dict[str, str]]


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, postgresql_server: str, redis_server: PrivateServer
) -> Iterator[ScaledRun]:
    folder = tmp_path_factory.mktemp("scaled")
    url = databases.copy_postgresql(server=postgresql_server)
    try:
        yield _story(folder, database_url=url, limits_url=redis_server.url)
    finally:
        databases.drop_postgresql(url, server=postgresql_server)


def _story(folder: Path, *, database_url: str, limits_url: str) -> ScaledRun:
    provider = a_panel(folder / "provider", PANEL_SYNC_SECONDS="1")
    shared = {**SHARED, "DATABASE_URL": database_url, "PANEL_LIMITS_URL": limits_url}
    first, second = (a_panel(folder / name, **shared) for name in ("one", "two"))
    with (
        panel_chain.running(provider, first, second),
        another_worker(first) as worker,
        another_worker(first),
        Browser(provider) as there,
        Browser(first) as one,
        one.at(second) as two,
    ):
        panel_chain.stock(provider)
        panel_chain.resell(first, provider, owner=there)
        one.sign_up(CUSTOMER)
        panel_chain.credit(first, CUSTOMER)
        assert until(lambda: first.log.count('"worker started"') == 2)

        offers = panel_chain.offers(second)
        polls = []
        for tool, (buys, looks) in zip(TOOLS * ROUNDS, itertools.cycle([(one, two), (two, one)]), strict=False):
            polls.append(_order_at(buys, offers[tool], seen_at=looks))
        watch = Watch(one)
        watch.until(lambda now: all(map(two.is_handed_over, now)), within_seconds=HANDED_OVER_SECONDS)
        watch.until(_any_runs, within_seconds=RUNS_SECONDS)
        worker.kill()
        assert (worker.wait(), panel_chain.have_ended(watch.look())) == (-signal.SIGKILL, False)
        polls.append(_order_at(two, offers[AFTER_THE_KILL], seen_at=one))
        watch.until(panel_chain.have_ended, within_seconds=ENDS_SECONDS)
        Watch(there).until(panel_chain.have_ended, within_seconds=HANDED_OVER_SECONDS)

        ours, theirs = panel_chain.panel_export(first), panel_chain.panel_export(provider)
        return ScaledRun(polls, watch.seen, ours, theirs, one.statement())


def _any_runs(orders: dict[int, dict[str, str]]) -> bool:
    return any(order["status"] == "In progress" for order in orders.values())


def _order_at(one: Browser, offer: ResoldTool, *, seen_at: Browser) -> Poll:
    """Place an order through one web process while the other shows the history; returns the other's next poll."""
    before, shown = None, ""
    while before != httpx.codes.NOT_MODIFIED:
        shown = seen_at.open("/orders/live").headers["HX-PTag"]
        before = seen_at.anything_new("/orders/live", shown=shown).status_code
    number = one.place_order(offer, quantity=str(QUANTITY))
    after = seen_at.anything_new("/orders/live", shown=shown)
    return Poll(number, after.status_code, f'id="order-{number}"' in after.text)


def test_each_change_is_in_the_next_poll_of_the_other_web_process(run: ScaledRun) -> None:
    assert [(poll.status, poll.has_order) for poll in run.polls] == [(200, True)] * ORDERS


def test_no_order_was_sent_twice(run: ScaledRun) -> None:
    panel_chain.assert_each_order_was_sent_once(run.ours, run.theirs)
    assert sorted(run.ours.orders) == sorted(poll.number for poll in run.polls)


def test_the_remaining_worker_finishes_what_both_began(run: ScaledRun) -> None:
    assert {order["status"] for order in run.ours.orders.values()} >= {"completed", "partial", "canceled"}
    assert run.ours.statuses(run.polls[-1].number)[-1] == "canceled"
    assert any("In progress" in seen for seen in run.seen.values())


def test_ledgers_are_correct_on_both_sides(run: ScaledRun) -> None:
    panel_chain.assert_exports_agree(run.ours, run.theirs)
    panel_chain.assert_statement_sums(run.statement, book=run.ours)
    panel_chain.assert_no_problems(run.ours, run.theirs)
    assert len(run.ours.orders) == ORDERS
