"""Panels of which each sells what the next one delivers, and browsers of their customers.

The last one has the demo catalogue, delivered by the simulator. Every other one sells the tools of its provider at
20 % more and reaches it over HTTP only. The exports of two neighbors can be compared.
"""

import csv
import io
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from panel.domain import money
from panel.domain.forms import drip_feed
from tests.support.servers import ROOT, Panel

PASSWORD = "seven green lanterns"
RESELLER = "reseller@example.com"
CUSTOMER = "customer@example.com"
CREDIT = "50.00"
CATALOGUE = "content/tools/catalogue.yaml"
LOOK_AGAIN_SECONDS = 0.25

Row = dict[str, Any]


class Browser:
    """A browser without scripts: stores cookies and sends forms with their hidden fields."""

    def __init__(self, panel: Panel, *, cookies: CookieJar | None = None) -> None:
        self._client = httpx.Client(base_url=panel.url, cookies=cookies, timeout=30, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    def at(self, panel: Panel) -> "Browser":
        """The same browser with its cookies, at another web process of the same site."""
        return Browser(panel, cookies=self._client.cookies.jar)

    def open(self, path: str) -> httpx.Response:
        page = self._client.get(path)
        assert page.status_code == 200, (path, page.status_code, page.text)
        return page

    def anything_new(self, path: str, *, shown: str) -> httpx.Response:
        """Poll as an open page with this ETag does."""
        return self._client.get(path, headers={"HX-PTag": shown})

    def send(self, page: httpx.Response, *, action: str, **typed: str) -> httpx.Response:
        """Send the page's form with this `action`; returns the page that it leads to."""
        fields = _forms_of(page)[action]
        answer = self._client.post(action, data=fields | typed)
        if answer.status_code == 303:
            answer = self._client.get(answer.headers["Location"])
        assert answer.status_code == 200, (action, answer.status_code, answer.text)
        return answer

    def sign_up(self, email: str) -> None:
        self.send(self.open("/sign-up"), action="/sign-up", email=email, password=PASSWORD)

    def place_order(self, offer: "ResoldTool", **typed: str) -> int:
        """Place an order through the form and its check page; returns the order's number."""
        form = self.open(f"/orders/new?tool={offer.slug}")
        check = self.send(form, action="/orders/check", tool=offer.slug, link=offer.link, **typed)
        placed = self.send(check, action="/orders")
        return int(placed.url.path.removeprefix("/orders/"))

    def cancel(self, order_id: int) -> None:
        self.send(self.open(f"/orders/{order_id}"), action=f"/orders/{order_id}/cancellation")

    def request_refill(self, order_id: int) -> None:
        self.send(self.open(f"/orders/{order_id}"), action=f"/orders/{order_id}/refills")

    def is_handed_over(self, order_id: int) -> bool:
        return "Sent to the provider." in self.open(f"/orders/{order_id}").text

    def orders(self) -> dict[int, dict[str, str]]:
        """This user's orders by number, as the order history shows them."""
        return {int(row["order"]): row for row in _csv(self.open("/orders.csv"))}

    def statement(self) -> list[dict[str, str]]:
        """The lines of this month's statement, opening and closing balance included."""
        return _csv(self.open("/balance/statement.csv"))


def _csv(page: httpx.Response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(page.text.removeprefix("\ufeff"))))


class _Forms(HTMLParser):
    """Parser for a page's forms: fields by action."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._open: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._open = self.forms.setdefault(given.get("action") or "", {})
        elif tag == "input" and given.get("name"):
            self._open[given["name"] or ""] = given.get("value") or ""


def _forms_of(page: httpx.Response) -> dict[str, dict[str, str]]:
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


@dataclass
class Watch:
    """Polls a user's orders and records each status."""

    browser: Browser
    seen: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))

    def look(self) -> dict[int, dict[str, str]]:
        now = self.browser.orders()
        for order_id, order in now.items():
            if self.seen[order_id][-1:] != [order["status"]]:
                self.seen[order_id].append(order["status"])
        return now

    def until(self, holds: Callable[[dict[int, dict[str, str]]], bool], *, within_seconds: float) -> None:
        """Poll until the condition holds. Raises AssertionError with all recorded statuses at the timeout."""
        give_up_at = time.monotonic() + within_seconds
        while not holds(self.look()):
            assert time.monotonic() < give_up_at, dict(self.seen)
            time.sleep(LOOK_AGAIN_SECONDS)


def have_ended(orders: dict[int, dict[str, str]]) -> bool:
    """Whether every order has ended (Completed orders may still get a refill)."""
    return {order["status"] for order in orders.values()} <= {"Completed", "Partial", "Canceled"}


@contextmanager
def running(*panels: Panel) -> Iterator[None]:
    """These panels, started in parallel and running; stopped afterwards."""
    try:
        with ThreadPoolExecutor(len(panels)) as threads:
            list(threads.map(Panel.start, panels))
        yield
    finally:
        for panel in panels:
            if panel.process is not None:
                panel.stop()


def command_output(panel: Panel, *arguments: str, standard_input: str = "") -> str:
    """Run a command that must succeed; returns its standard output."""
    ended = panel.flask(*arguments, standard_input=standard_input)
    assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
    return ended.stdout.strip()


def stock(provider: Panel) -> None:
    """Import the provider's catalogue and its simulator."""
    command_output(provider, "providers", "add", "simulator", "--kind", "simulated")
    command_output(provider, "providers", "add", "by-hand", "--kind", "manual")
    command_output(provider, "tools", "import", CATALOGUE)


def credit(panel: Panel, email: str) -> None:
    command_output(panel, "balance", "add", email, CREDIT, "--note", "A first deposit.")


def resell(reseller: Panel, provider: Panel, *, owner: Browser) -> str:
    """Sell the provider's tools at the reseller at a markup; `owner` has an account there. Returns its API key."""
    owner.sign_up(RESELLER)
    command_output(provider, "users", "confirm", RESELLER)
    credit(provider, RESELLER)
    key = command_output(provider, "users", "api-key", RESELLER)
    added = ("providers", "add", "B", "--kind", "panel_api", "--url", f"{provider.url}/api/v2", "--key-stdin")
    command_output(reseller, *added, standard_input=f"{key}\n")
    command_output(reseller, "providers", "import", "B", "--margin", "20%")
    return key


@dataclass(frozen=True)
class ResoldTool:
    """A tool of the reseller, and a link that its provider accepts."""

    slug: str
    link: str


def offers(reseller: Panel) -> dict[str, ResoldTool]:
    """The reseller's tools by the provider's slug; an import keeps the names."""
    slugs = {tool["name"]: tool["slug"] for tool in json.loads(command_output(reseller, "tools", "list", "--json"))}
    tools = yaml.safe_load((ROOT / CATALOGUE).read_text())
    return {tool["slug"]: ResoldTool(slugs[tool["name"]], tool["link"]["example"]) for tool in tools}


@dataclass
class PanelExport:
    """A panel's final state: export rows by kind and id, audit result, reviews, and logged errors."""

    rows: dict[str, dict[int, Row]]
    audit: Row
    reviews: list[Row]
    errors: list[str]

    @property
    def orders(self) -> dict[int, Row]:
        return self.rows["order"]

    def of_order(self, kind: str, order_id: int) -> list[Row]:
        return [row for row in self.rows[kind].values() if row["order_id"] == order_id]

    def fields(self, order_id: int) -> dict[str, str]:
        """What was entered besides link and quantity."""
        return {row["name"]: row["value"] for row in self.of_order("order_field", order_id)}

    def runs(self, order_id: int) -> list[Row]:
        """The runs of a drip-feed order, by number."""
        return sorted(self.of_order("order_run", order_id), key=lambda run: int(run["number"]))

    def sent(self, order_id: int) -> list[int]:
        """The provider's numbers for this order: one, or one of each run."""
        return [int(each["provider_order_id"]) for each in self.runs(order_id) or [self.orders[order_id]]]

    def moved(self, order_id: int) -> Counter[str]:
        """Amounts of an order's transfers, by kind."""
        return Counter({row["transfer_kind"]: row["amount_nanos"] for row in self.of_order("transfer", order_id)})

    def statuses(self, order_id: int) -> list[str]:
        """The order's statuses, in the order of its events."""
        return [row["status"] for row in self.of_order("event", order_id) if row["event_kind"] in ("placed", "moved")]


def panel_export(panel: Panel) -> PanelExport:
    commands = (("export",), ("audit", "--json"), ("reviews", "list", "--all", "--json"))
    with ThreadPoolExecutor(len(commands)) as threads:
        export, audit, reviews = threads.map(lambda words: command_output(panel, *words), commands)
    rows: dict[str, dict[int, Row]] = defaultdict(dict)
    for line in export.splitlines():
        row = json.loads(line)
        rows[row["kind"]][row["id"]] = row
    errors = [line for line in panel.log.splitlines() if '"level": "error"' in line]
    return PanelExport(rows, json.loads(audit), json.loads(reviews), errors)


def assert_each_order_was_sent_once(reseller: PanelExport, provider: PanelExport) -> None:
    """Each order here, or each of its runs, has exactly one order there, created by a single call."""
    given = [number for order_id in reseller.orders for number in reseller.sent(order_id)]
    assert sorted(given) == sorted(provider.orders)
    for order_id in reseller.orders:
        calls = [call for call in reseller.of_order("attempt", order_id) if call["attempt_kind"] == "add"]
        assert [call["state"] for call in calls] == ["sent"] * len(reseller.sent(order_id))


def assert_exports_agree(reseller: PanelExport, provider: PanelExport) -> None:
    """Both panels agree on every order, and each charged for exactly what was delivered, at its own price."""
    for book in (reseller, provider):
        for order in book.orders.values():
            _assert_charged_for_what_was_delivered(book, order)
    for ours in reseller.orders.values():
        runs = reseller.runs(ours["id"])
        numbers = reseller.sent(ours["id"])
        entered = reseller.fields(ours["id"])
        for part, number in zip(runs or [ours], numbers, strict=True):
            theirs = provider.orders[number]
            same = ("quantity", "status", "remains")
            assert [part[name] for name in same] == [theirs[name] for name in same], (part, theirs)
            # The API reports an unknown start count as 0.
            assert (part["start_count"] or 0) == (theirs["start_count"] or 0)
            assert ours["link"] == theirs["link"]
            assert ours["price_micros_per_thousand"] * 10 == theirs["price_micros_per_thousand"] * 12
            # Runs are ours alone: the provider gets an order for each.
            fields = {name: value for name, value in entered.items() if not runs or name not in drip_feed.NAMES}
            assert fields == provider.fields(number)


def _assert_charged_for_what_was_delivered(book: PanelExport, order: Row) -> None:
    delivered, moved = order["quantity"] - order["remains"], book.moved(order["id"])
    assert moved["charge"] == order["quantity"] * order["price_micros_per_thousand"]
    assert moved["keep"] == moved["charge"] - moved["return"] == delivered * order["price_micros_per_thousand"]


def assert_no_problems(*panels: PanelExport) -> None:
    """The audits find nothing, no reviews were opened, and no errors were logged."""
    for book in panels:
        assert (book.audit["sound"], book.audit["orders"]) == (True, len(book.orders))
        assert book.reviews == []
        assert book.errors == []


def assert_statement_sums(lines: list[dict[str, str]], *, book: PanelExport) -> None:
    """The statement starts at zero and closes with the deposit minus the final cost of the orders."""
    first, *moves, last = lines
    running = money.parse_nanos(first["balance"])
    for line in moves:
        running += money.parse_nanos(line["in"] or "0") - money.parse_nanos(line["out"] or "0")
        assert running == money.parse_nanos(line["balance"]), line
    cost = sum(order["charge_nanos"] - order["returned_nanos"] for order in book.orders.values())
    assert money.parse_nanos(first["balance"]) == 0
    assert running == money.parse_nanos(last["balance"]) == money.parse_nanos(CREDIT) - cost
    assert cost > 0
