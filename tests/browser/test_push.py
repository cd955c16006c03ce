"""Push in a real browser: pages update right after the commit, and fall back to polling when the hub is down."""

import contextlib
import os
import signal
import statistics
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.status import Status
from panel.models import Order, User
from panel.services import public_links
from panel.services.accounts import sessions
from panel.services.orders import transitions
from panel.services.platform import canary, measurements
from panel.settings import Settings
from tests.browser.conftest import Tab, Tabs
from tests.processes.test_supervisor import children_of
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
    with no_hub(panel):
        page.wait_for_function("() => !isPushed()")

        move(order, remains=400)

        shows(page, order, delivered=600, within_ms=POLLED_MS)
    page.wait_for_function(IS_PUSHED)
    move(order, remains=300)
    shows(page, order, delivered=700, within_ms=PUSHED_MS)


@contextlib.contextmanager
def no_hub(panel: Panel) -> Iterator[None]:
    """The hub is killed, and started again afterwards."""
    assert panel.process is not None
    # A stopped supervisor doesn't start the hub again.
    os.kill(panel.process.pid, signal.SIGSTOP)
    try:
        os.killpg(hub_of(panel), signal.SIGKILL)
        yield
    finally:
        os.kill(panel.process.pid, signal.SIGCONT)


def hub_of(panel: Panel) -> int:
    """The process group of the running hub, which the supervisor starts last."""
    assert panel.process is not None
    _web, hub = children_of(panel.process.pid)
    return hub


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


def test_visitors_pages_update_within_a_second_and_get_only_their_topic(tabs: Tabs, app: Flask) -> None:
    place_test_order()
    order = an_order(customer=a_customer("1000"), status=Status.IN_PROGRESS)
    link = share(order, app)
    home, status, shared = (open_public(tabs, path) for path in ("/", "/platform-status", link))

    measure(State.OPERATIONAL)
    expect(status.page.locator("#platform-now .overall")).to_contain_text("Measured", timeout=PUSHED_MS)
    move(order, remains=250)
    expect(shared.page.locator("#public-order")).to_contain_text("750", timeout=PUSHED_MS)
    end_test_order()
    expect(home.page.locator("#test-order")).to_contain_text("It took", timeout=PUSHED_MS)

    assert [tab.page.evaluate("pushed.length") for tab in (home, status, shared)] == [1, 1, 1]


def test_visitors_page_polls_while_the_hub_is_away_and_a_hidden_or_paused_one_has_no_stream(
    tabs: Tabs, app: Flask, panel: Panel
) -> None:
    order = an_order(customer=a_customer("1000"), status=Status.IN_PROGRESS)
    tab = open_public(tabs, share(order, app))
    tab.complaints.expects_failed_answers = True
    page = tab.page
    with no_hub(panel):
        page.wait_for_function("() => !isPushed()")
        move(order, remains=400)
        expect(page.locator("#public-order")).to_contain_text("600 of 1,000", timeout=POLLED_MS)
    page.wait_for_function(IS_PUSHED)
    move(order, remains=300)
    expect(page.locator("#public-order")).to_contain_text("700 of 1,000", timeout=PUSHED_MS)

    page.evaluate("window.isHidden = true; document.dispatchEvent(new Event('visibilitychange'))")
    assert page.evaluate("stream") is None
    page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_function(IS_PUSHED)
    page.get_by_role("button", name="Pause updates").click()
    page.wait_for_function("() => stream === null")


def open_public(tabs: Tabs, path: str) -> Tab:
    """Open a visitor's page with a stream, which collects the ids of its events."""
    tab = tabs.open()
    tab.page.add_init_script(HIDE)
    tab.page.goto(path)
    tab.page.wait_for_function(IS_PUSHED)
    tab.page.evaluate(
        "window.pushed = []; stream.addEventListener('changed', (event) => pushed.push(event.lastEventId))"
    )
    return tab


def place_test_order() -> None:
    with transaction():
        canary.prepare(key="key-of-the-canary", now=utc_now())
        canary.place(now=utc_now())


def end_test_order() -> None:
    newest = canary.newest()
    assert newest is not None
    with transaction():
        transitions.move_order(transitions.lock_order(newest.order_id), Status.CANCELED, remains=1, now=utc_now())


def measure(state: State) -> None:
    with transaction():
        measurements.record([Finding(Component.SITE, state, 1, "It answers.")], interval_seconds=60, now=utc_now())


def share(order: Order, app: Flask) -> str:
    """The address of the order's public page."""
    settings: Settings = app.config["PANEL"]
    with transaction():
        public_links.share(order.id, customer_id=order.customer_id, shows_money=False, settings=settings, now=utc_now())
    link = public_links.own(order.id, settings=settings)
    assert link is not None
    return f"/public-orders/{link.token}"
