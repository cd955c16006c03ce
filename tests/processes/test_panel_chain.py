"""End-to-end resale: one panel resells the tools of another, both as real processes.

A customer of the reseller orders through its forms. The provider delivers each order with its simulator; one order is
refilled, and two get a cancellation request.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support import panel_chain
from tests.support.panel_chain import CUSTOMER, RESELLER, Browser, PanelExport, ResoldTool, Watch
from tests.support.servers import Panel, a_panel

USUAL, PARTIAL, CANCELED = "newsletter-readers", "always-ends-partial-demo", "always-ends-canceled-demo"
STOPPED_MIDWAY, STOPPED_EARLY = "podcast-plays", "map-listing-views"
COMMENTS, PACKAGE = "episode-comments", "launch-package"
QUANTITY = 200
# As a browser sends them, and as they are kept.
TYPED = "  First “comment” & more \r\n\r\n{{ 7*7 }} <b>|</b>\r\n👩‍🚀 שלום"
KEPT = "  First “comment” & more \n{{ 7*7 }} <b>|</b>\n👩‍🚀 שלום"
HANDED_OVER_SECONDS, RUNS_SECONDS, ENDS_SECONDS = 90, 90, 240


@dataclass(frozen=True)
class ResaleRun:
    """What the run showed: statuses seen on pages, and both panels' final exports and statements."""

    numbers: dict[str, int]
    seen: dict[int, list[str]]
    seen_there: dict[int, list[str]]
    ours: PanelExport
    theirs: PanelExport
    statement: list[dict[str, str]]
    statement_there: list[dict[str, str]]
    balance_there: dict[str, str]

    def statuses(self, tool: str) -> list[str]:
        return self.ours.statuses(self.numbers[tool])

    def statuses_there(self, tool: str) -> list[str]:
        return self.theirs.statuses(int(self.ours.orders[self.numbers[tool]]["provider_order_id"]))

    def order(self, tool: str) -> panel_chain.Row:
        return self.ours.orders[self.numbers[tool]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResaleRun]:
    folder = tmp_path_factory.mktemp("two-panels")
    provider, reseller = (a_panel(folder / name, PANEL_SYNC_SECONDS="1") for name in ("provider", "reseller"))
    with panel_chain.running(provider, reseller), Browser(provider) as there, Browser(reseller) as here:
        there.sign_up(RESELLER)
        panel_chain.command_output(provider, "users", "confirm", RESELLER)
        panel_chain.credit(provider, RESELLER)
        panel_chain.stock(provider)
        key = panel_chain.command_output(provider, "users", "api-key", RESELLER)
        panel_chain.resell(reseller, provider, key=key)
        here.sign_up(CUSTOMER)
        panel_chain.credit(reseller, CUSTOMER)
        watch, watch_there = Watch(here), Watch(there)

        numbers = _place_all(here, panel_chain.offers(reseller))
        _follow(numbers, watch, watch_there)

        yield ResaleRun(
            numbers,
            watch.seen,
            watch_there.seen,
            panel_chain.panel_export(reseller),
            panel_chain.panel_export(provider),
            here.statement(),
            there.statement(),
            _balance(provider, key=key),
        )


def _place_all(here: Browser, offers: dict[str, ResoldTool]) -> dict[str, int]:
    slugs = (USUAL, PARTIAL, CANCELED, STOPPED_MIDWAY, STOPPED_EARLY)
    numbers = {slug: here.place_order(offers[slug], quantity=str(QUANTITY)) for slug in slugs}
    numbers[COMMENTS] = here.place_order(offers[COMMENTS], comments=TYPED)
    numbers[PACKAGE] = here.place_order(offers[PACKAGE])
    return numbers


def _follow(numbers: dict[str, int], watch: Watch, watch_there: Watch) -> None:
    """Request one refill and two cancellations as soon as each is possible, and watch until everything has ended."""
    usual, midway, early = numbers[USUAL], numbers[STOPPED_MIDWAY], numbers[STOPPED_EARLY]
    here = watch.browser

    watch.until(lambda _: here.is_handed_over(early), within_seconds=HANDED_OVER_SECONDS)
    here.cancel(early)
    watch.until(lambda now: int(now[midway]["delivered"]) > 0, within_seconds=RUNS_SECONDS)
    here.cancel(midway)
    watch.until(lambda now: now[usual]["status"] == "Completed", within_seconds=ENDS_SECONDS)
    here.request_refill(usual)
    assert watch.look()[usual]["status"] == "Refill"
    watch_there.until(_any_in_refill, within_seconds=HANDED_OVER_SECONDS)
    watch.until(panel_chain.have_ended, within_seconds=ENDS_SECONDS)
    watch_there.until(panel_chain.have_ended, within_seconds=HANDED_OVER_SECONDS)


def _any_in_refill(orders: dict[int, dict[str, str]]) -> bool:
    return any(order["status"] == "Refill" for order in orders.values())


def _balance(provider: Panel, *, key: str) -> dict[str, str]:
    answer = httpx.post(f"{provider.url}/api/v2", data={"key": key, "action": "balance"}, trust_env=False)
    balance: dict[str, str] = answer.json()
    return balance


def test_each_order_here_is_one_order_there(run: ResaleRun) -> None:
    panel_chain.assert_each_order_was_sent_once(run.ours, run.theirs)
    assert len(run.ours.orders) == len(run.numbers) == 7


def test_orders_end_as_their_delivery_did_and_run_before_they_end(run: ResaleRun) -> None:
    for tool, end in ((USUAL, "completed"), (PARTIAL, "partial"), (STOPPED_MIDWAY, "partial")):
        assert "in_progress" in run.statuses(tool)[:-1]
        assert end in run.statuses(tool)
        assert "In progress" in run.seen[run.numbers[tool]]
    assert run.statuses(PARTIAL)[-1] == "partial"
    assert run.statuses(CANCELED)[-1] == "canceled"
    assert "in_progress" not in run.statuses(CANCELED)


def test_refill_is_sent_to_the_provider_and_completed(run: ResaleRun) -> None:
    for statuses in (run.statuses(USUAL), run.statuses_there(USUAL)):
        assert statuses[-3:] == ["completed", "refill", "completed"]
    assert run.seen[run.numbers[USUAL]][-3:] == ["Completed", "Refill", "Completed"]
    for book in (run.ours, run.theirs):
        assert [refill["state"] for refill in book.rows["refill"].values()] == ["completed"]
    [ours], [theirs] = (book.rows["refill"].values() for book in (run.ours, run.theirs))
    assert ours["provider_refill_id"] == str(theirs["id"])
    assert run.order(USUAL)["returned_nanos"] == 0


def test_cancellation_before_delivery_refunds_everything(run: ResaleRun) -> None:
    order = run.order(STOPPED_EARLY)

    assert run.statuses(STOPPED_EARLY)[-1] == run.statuses_there(STOPPED_EARLY)[-1] == "canceled"
    assert (order["remains"], order["returned_nanos"]) == (QUANTITY, order["charge_nanos"])


def test_cancellation_during_delivery_refunds_the_rest(run: ResaleRun) -> None:
    order = run.order(STOPPED_MIDWAY)

    assert run.statuses(STOPPED_MIDWAY)[-1] == run.statuses_there(STOPPED_MIDWAY)[-1] == "partial"
    assert 0 < order["remains"] < QUANTITY
    assert order["returned_nanos"] == order["remains"] * order["price_micros_per_thousand"]


def test_comments_and_a_package_travel_down_and_back(run: ResaleRun) -> None:
    there = run.theirs.orders[int(run.order(COMMENTS)["provider_order_id"])]

    assert run.ours.fields(run.numbers[COMMENTS]) == run.theirs.fields(there["id"]) == {"comments": KEPT}
    assert (run.order(COMMENTS)["quantity"], there["quantity"]) == (3, 3)
    assert (run.order(PACKAGE)["quantity"], run.order(PACKAGE)["charge_nanos"]) == (1, 5_400_000_000)
    for tool in (COMMENTS, PACKAGE):
        assert run.statuses(tool)[-1] == run.statuses_there(tool)[-1] == "completed"
        assert run.order(tool)["kept_nanos"] == run.order(tool)["charge_nanos"]


def test_both_ledgers_agree(run: ResaleRun) -> None:
    panel_chain.assert_exports_agree(run.ours, run.theirs)
    panel_chain.assert_statement_sums(run.statement, book=run.ours)
    panel_chain.assert_statement_sums(run.statement_there, book=run.theirs)
    assert run.balance_there == {"balance": run.statement_there[-1]["balance"], "currency": "USD"}


def test_neither_side_has_problems(run: ResaleRun) -> None:
    panel_chain.assert_no_problems(run.ours, run.theirs)
