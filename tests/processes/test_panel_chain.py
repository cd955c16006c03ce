"""End-to-end resale along a chain: reseller → panel → upstream, as real processes that know each other over HTTP only.

A customer of the reseller orders through its forms. The upstream delivers with its simulator; one order is refilled,
two get a cancellation request, one is delivered in runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.support import panel_chain
from tests.support.panel_chain import CUSTOMER, Browser, PanelExport, ResoldTool, Watch
from tests.support.servers import Panel, a_panel

USUAL, PARTIAL, CANCELED = "newsletter-readers", "always-ends-partial-demo", "always-ends-canceled-demo"
STOPPED_MIDWAY, STOPPED_EARLY = "podcast-plays", "map-listing-views"
COMMENTS, PACKAGE, IN_RUNS = "episode-comments", "launch-package", "press-release-reads"
QUANTITY, RUNS = 200, 2
# As a browser sends them, and as they are kept.
TYPED = "  First “comment” & more \r\n\r\n{{ 7*7 }} <b>|</b>\r\n👩‍🚀 שלום"
KEPT = "  First “comment” & more \n{{ 7*7 }} <b>|</b>\n👩‍🚀 שלום"
HANDED_OVER_SECONDS, RUNS_SECONDS, ENDS_SECONDS = 90, 90, 240


@dataclass(frozen=True)
class ResaleRun:
    """What the run showed: statuses on the customer's pages, and all exports and statements from the reseller on."""

    numbers: dict[str, int]
    seen: dict[int, list[str]]
    books: list[PanelExport]
    statements: list[list[dict[str, str]]]
    balance_upstream: dict[str, str]

    def number(self, tool: str, *, at: int) -> int:
        """The number of the customer's order of this tool at the reseller (0), the panel (1) or the upstream (2)."""
        number = self.numbers[tool]
        for book in self.books[:at]:
            [number] = book.sent(number)
        return number

    def order(self, tool: str, *, at: int = 0) -> panel_chain.Row:
        return self.books[at].orders[self.number(tool, at=at)]

    def statuses(self, tool: str, *, at: int = 0) -> list[str]:
        return self.books[at].statuses(self.number(tool, at=at))

    def last_statuses(self, tool: str) -> set[str]:
        """The order's final status at each panel."""
        return {self.statuses(tool, at=at)[-1] for at in range(len(self.books))}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResaleRun]:
    folder = tmp_path_factory.mktemp("panel-chain")
    names = ("reseller", "panel", "upstream")
    reseller, panel, upstream = panels = [a_panel(folder / name, PANEL_SYNC_SECONDS="1") for name in names]
    with (
        panel_chain.running(*panels),
        Browser(reseller) as customer,
        Browser(panel) as of_reseller,
        Browser(upstream) as of_panel,
    ):
        panel_chain.stock(upstream)
        key = panel_chain.resell(panel, upstream, owner=of_panel)
        panel_chain.resell(reseller, panel, owner=of_reseller)
        customer.sign_up(CUSTOMER)
        panel_chain.credit(reseller, CUSTOMER)
        watch, watch_upstream = Watch(customer), Watch(of_panel)

        numbers = _place_all(customer, panel_chain.offers(reseller))
        _follow(numbers, watch, watch_upstream)

        yield ResaleRun(
            numbers,
            watch.seen,
            [panel_chain.panel_export(each) for each in panels],
            [browser.statement() for browser in (customer, of_reseller, of_panel)],
            _balance(upstream, key=key),
        )


def _place_all(customer: Browser, offers: dict[str, ResoldTool]) -> dict[str, int]:
    slugs = (USUAL, PARTIAL, CANCELED, STOPPED_MIDWAY, STOPPED_EARLY)
    # The interval is the shortest that there is.
    numbers = {IN_RUNS: customer.place_order(offers[IN_RUNS], quantity=str(QUANTITY), runs=str(RUNS), interval="1")}
    numbers |= {slug: customer.place_order(offers[slug], quantity=str(QUANTITY)) for slug in slugs}
    numbers[COMMENTS] = customer.place_order(offers[COMMENTS], comments=TYPED)
    numbers[PACKAGE] = customer.place_order(offers[PACKAGE])
    return numbers


def _follow(numbers: dict[str, int], watch: Watch, watch_upstream: Watch) -> None:
    """Request one refill and two cancellations as soon as each is possible, and watch until everything has ended."""
    usual, midway, early = numbers[USUAL], numbers[STOPPED_MIDWAY], numbers[STOPPED_EARLY]
    customer = watch.browser

    watch.until(lambda _: customer.is_handed_over(early), within_seconds=HANDED_OVER_SECONDS)
    # A panel that had not sent it on yet would cancel it by itself.
    watch_upstream.until(_has_early, within_seconds=HANDED_OVER_SECONDS)
    customer.cancel(early)
    watch.until(lambda now: int(now[midway]["delivered"]) > 0, within_seconds=RUNS_SECONDS)
    customer.cancel(midway)
    watch.until(lambda now: now[usual]["status"] == "Completed", within_seconds=ENDS_SECONDS)
    customer.request_refill(usual)
    assert watch.look()[usual]["status"] == "Refill"
    watch_upstream.until(_any_in_refill, within_seconds=HANDED_OVER_SECONDS)
    watch.until(panel_chain.have_ended, within_seconds=ENDS_SECONDS)
    watch_upstream.until(panel_chain.have_ended, within_seconds=HANDED_OVER_SECONDS)


def _has_early(orders: dict[int, dict[str, str]]) -> bool:
    return any(order["tool"].casefold().replace(" ", "-") == STOPPED_EARLY for order in orders.values())


def _any_in_refill(orders: dict[int, dict[str, str]]) -> bool:
    return any(order["status"] == "Refill" for order in orders.values())


def _balance(upstream: Panel, *, key: str) -> dict[str, str]:
    answer = httpx.post(f"{upstream.url}/api/v2", data={"key": key, "action": "balance"}, trust_env=False)
    balance: dict[str, str] = answer.json()
    return balance


def test_each_order_or_run_is_one_order_at_the_next_panel(run: ResaleRun) -> None:
    reseller, panel, upstream = run.books
    panel_chain.assert_each_order_was_sent_once(reseller, panel)
    panel_chain.assert_each_order_was_sent_once(panel, upstream)
    assert [len(book.orders) for book in run.books] == [8, 9, 9]


def test_orders_end_as_their_delivery_did_and_run_before_they_end(run: ResaleRun) -> None:
    for tool, end in ((USUAL, "completed"), (PARTIAL, "partial"), (STOPPED_MIDWAY, "partial")):
        assert "in_progress" in run.statuses(tool)[:-1]
        assert end in run.statuses(tool)
        assert "In progress" in run.seen[run.numbers[tool]]
    assert run.last_statuses(PARTIAL) == {"partial"}
    assert run.last_statuses(CANCELED) == {"canceled"}
    assert "in_progress" not in run.statuses(CANCELED)


def test_refill_is_sent_along_the_chain_and_completed(run: ResaleRun) -> None:
    for at in range(3):
        assert run.statuses(USUAL, at=at)[-3:] == ["completed", "refill", "completed"]
    assert run.seen[run.numbers[USUAL]][-3:] == ["Completed", "Refill", "Completed"]
    [first], [second], [third] = (list(book.rows["refill"].values()) for book in run.books)
    assert [refill["state"] for refill in (first, second, third)] == ["completed"] * 3
    assert (first["provider_refill_id"], second["provider_refill_id"]) == (str(second["id"]), str(third["id"]))
    assert run.order(USUAL)["returned_nanos"] == 0


def test_cancellation_before_delivery_refunds_everything(run: ResaleRun) -> None:
    assert run.last_statuses(STOPPED_EARLY) == {"canceled"}
    for at in range(3):
        order = run.order(STOPPED_EARLY, at=at)
        assert (order["remains"], order["returned_nanos"]) == (QUANTITY, order["charge_nanos"])


def test_cancellation_during_delivery_refunds_the_rest(run: ResaleRun) -> None:
    assert run.last_statuses(STOPPED_MIDWAY) == {"partial"}
    for at in range(3):
        order = run.order(STOPPED_MIDWAY, at=at)
        assert 0 < order["remains"] < QUANTITY
        assert order["returned_nanos"] == order["remains"] * order["price_micros_per_thousand"]


def test_comments_and_a_package_travel_down_and_back(run: ResaleRun) -> None:
    prices = [4_500_000_000, 5_400_000_000, 6_480_000_000]

    for at, price in enumerate(reversed(prices)):
        assert run.books[at].fields(run.number(COMMENTS, at=at)) == {"comments": KEPT}
        assert run.order(COMMENTS, at=at)["quantity"] == 3
        assert (run.order(PACKAGE, at=at)["quantity"], run.order(PACKAGE, at=at)["charge_nanos"]) == (1, price)
    for tool in (COMMENTS, PACKAGE):
        assert run.last_statuses(tool) == {"completed"}
        assert run.order(tool)["kept_nanos"] == run.order(tool)["charge_nanos"]


def test_each_run_of_a_drip_feed_travels_down_and_back(run: ResaleRun) -> None:
    reseller, panel, upstream = run.books
    number = run.numbers[IN_RUNS]

    assert reseller.fields(number) == {"runs": "2", "interval": "1"}
    assert reseller.orders[number]["quantity"] == RUNS * QUANTITY
    assert [each["quantity"] for each in reseller.runs(number)] == [QUANTITY] * RUNS
    at_panel = reseller.sent(number)
    at_upstream = [further for each in at_panel for further in panel.sent(each)]
    assert [panel.orders[each]["quantity"] for each in at_panel] == [QUANTITY] * RUNS
    assert [upstream.orders[each]["quantity"] for each in at_upstream] == [QUANTITY] * RUNS
    first, second = reseller.runs(number)
    assert second["sent_at"] > first["ended_at"]
    ends = [upstream.orders[each]["remains"] for each in at_upstream]
    assert reseller.orders[number]["remains"] == sum(ends)


def test_ledgers_of_neighbors_agree(run: ResaleRun) -> None:
    reseller, panel, upstream = run.books
    panel_chain.assert_exports_agree(reseller, panel)
    panel_chain.assert_exports_agree(panel, upstream)
    for statement, book in zip(run.statements, run.books, strict=True):
        panel_chain.assert_statement_sums(statement, book=book)
    assert run.balance_upstream == {"balance": run.statements[-1][-1]["balance"], "currency": "USD"}


def test_no_panel_has_problems(run: ResaleRun) -> None:
    panel_chain.assert_no_problems(*run.books)
