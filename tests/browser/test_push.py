"""Push in a real browser: pages update right after the commit, and fall back to polling when the hub is down."""

import os
import signal
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.status import Status
from panel.models import Order, User
from panel.services.accounts import sessions
from panel.services.orders import transitions
from tests.browser.conftest import Tab, Tabs
from tests.support.factories import a_customer, an_order
from tests.support.servers import Panel, running_panel

IS_PUSHED = "() => isPushed()"
HIDE = "Object.defineProperty(document, 'hidden', {configurable: true, get: () => window.isHidden === true})"
# Without push, a change shows within three seconds; a page with push polls every thirty.
POLLED_MS = 5_000
PUSHED_MS = 2_000


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with running_panel(tmp_path_factory.mktemp("panel"), PANEL_WORKER="false", PANEL_HUB="true") as panel:
        yield panel


def move(order: Order, *, remains: int) -> None:
    with transaction():
        locked = transitions.lock_order(order.id)
        transitions.move_order(locked, Status.IN_PROGRESS, remains=remains, now=utc_now())


def open_list(tabs: Tabs, user: User) -> Tab:
    """Open this user's order list with a stream, which collects the ids of its events."""
    tab = tabs.open(user)
    tab.page.goto("/orders")
    tab.page.wait_for_function(IS_PUSHED)
    tab.page.evaluate(
        "window.pushed = []; stream.addEventListener('changed', (event) => pushed.push(event.lastEventId))"
    )
    return tab


def shows(page: Page, order: Order, *, delivered: int, within_ms: int) -> None:
    expect(page.locator(f"#count-{order.id}")).to_have_text(f"{delivered:,} of 1,000", timeout=within_ms)


def test_two_browsers_update_within_a_second_and_a_third_gets_no_event(tabs: Tabs) -> None:
    mine, other = a_customer("1000"), a_customer("1000", email="other@example.com")
    order = an_order(customer=mine)
    an_order(customer=other)
    first, second, foreign = (open_list(tabs, user).page for user in (mine, mine, other))
    seconds = []

    for remains in (900, 800, 700, 600, 500):
        move(order, remains=remains)
        committed = time.monotonic()
        for page in (first, second):
            shows(page, order, delivered=1_000 - remains, within_ms=PUSHED_MS)
        seconds.append(time.monotonic() - committed)

    assert statistics.median(seconds) < 1, seconds
    assert first.evaluate("pushed.length") > 0
    assert foreign.evaluate("pushed") == []


def test_hub_outage_falls_back_to_polling_and_push_reconnects(tabs: Tabs, panel: Panel) -> None:
    order = an_order(customer=(customer := a_customer("1000")))
    tab = open_list(tabs, customer)
    tab.complaints.expects_failed_answers = True
    page = tab.page
    assert panel.process is not None
    # A stopped supervisor doesn't start the hub again.
    os.kill(panel.process.pid, signal.SIGSTOP)
    try:
        os.killpg(hub_of(panel), signal.SIGKILL)
        page.wait_for_function("() => !isPushed()")

        move(order, remains=400)

        shows(page, order, delivered=600, within_ms=POLLED_MS)
    finally:
        os.kill(panel.process.pid, signal.SIGCONT)
    page.wait_for_function(IS_PUSHED)
    move(order, remains=300)
    shows(page, order, delivered=700, within_ms=PUSHED_MS)


def hub_of(panel: Panel) -> int:
    """The process group of the running hub."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if "panel.hub.process" in command and panel.process is not None and int(parent) == panel.process.pid:
            return int(folder.name)
    raise AssertionError("no hub runs")


def test_hidden_tab_and_paused_page_hold_no_stream(tabs: Tabs) -> None:
    customer = a_customer("1000")
    an_order(customer=customer)
    page = tabs.open(customer).page
    page.add_init_script(HIDE)
    page.goto("/orders")
    page.wait_for_function(IS_PUSHED)

    page.evaluate("window.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("stream") is None
    page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(IS_PUSHED)
    page.get_by_role("button", name="Pause updates").click()
    expect(page.get_by_role("button", name="Resume updates")).to_be_visible()

    assert page.evaluate("stream") is None


def test_session_ended_by_another_device_ends_the_stream_within_two_seconds(tabs: Tabs) -> None:
    customer = a_customer("1000")
    an_order(customer=customer)
    tab = open_list(tabs, customer)
    tab.complaints.expects_failed_answers = True

    with transaction():
        sessions.end_all(customer.id, now=utc_now())

    expect(tab.page.get_by_text("You have been logged out.")).to_be_visible(timeout=2_000)
    assert tab.page.evaluate("stream") is None


def test_sixth_window_of_a_session_polls(tabs: Tabs) -> None:
    order = an_order(customer=(customer := a_customer("1000")))
    context = open_list(tabs, customer).page.context
    for _number in range(4):
        page = context.new_page()
        page.goto("/orders")
        page.wait_for_function(IS_PUSHED)
    last = context.new_page()
    with last.expect_response("**/push?*") as refused:
        last.goto("/orders")

    assert refused.value.status == 204
    move(order, remains=100)
    shows(last, order, delivered=900, within_ms=POLLED_MS)
    assert not last.evaluate("isPushed()")
