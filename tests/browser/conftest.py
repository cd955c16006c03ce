"""Fixtures: a real server, and a browser whose errors fail the test (console, CSP violations, other hosts)."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from panel.application import create_app
from panel.models import User
from tests.support import databases, servers
from tests.support.servers import Panel, running_panel
from tests.support.session_cookies import session_cookie

# Chromium logs this for every response of 400 and above, also for expected ones.
FAILED_ANSWER = "Failed to load resource"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    quiet = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
    # Nobody sees the pages: painting them takes less CPU without an imitated graphics card.
    quiet += ["--disable-gpu", "--num-raster-threads=1"]
    try:
        path = servers.chromium()
    except servers.NotInstalled as error:
        servers.skip_or_fail(str(error))
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": path, "args": [*quiet, "--disable-sync", "--no-first-run", *sandbox]}


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    """The site as a separate process without a worker: tests move orders themselves."""
    with running_panel(tmp_path_factory.mktemp("panel"), PANEL_WORKER="false") as panel:
        yield panel


@pytest.fixture
def app(panel: Panel) -> Iterator[Flask]:
    """The same site in this process, on the server's database: the server shows what is committed here."""
    app = create_app(databases.settings_for(panel.instance, port=panel.port))
    try:
        with app.app_context():
            yield app
    finally:
        databases.close(app)


@dataclass
class BrowserErrors:
    """Errors that a browser reported. A test that provokes failed responses allows them."""

    own_hosts: frozenset[str]
    found: list[str] = field(default_factory=list)
    expects_failed_answers: bool = False

    def on_console(self, message: ConsoleMessage) -> None:
        is_expected = self.expects_failed_answers and message.text.startswith(FAILED_ANSWER)
        if message.type in ("error", "warning") and not is_expected:
            self.found.append(f"console: {message.text}")

    def on_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "about", "blob") and address.netloc not in self.own_hosts:
            self.found.append(f"another host: {request.url}")


@dataclass
class Tab:
    """A page of a logged-in user, with its errors."""

    page: Page
    complaints: BrowserErrors

    def polls(self) -> list[str]:
        """A list that collects every poll of the live region from now on."""
        seen: list[str] = []
        self.page.on("request", lambda request: seen.append(request.url) if "/live" in request.url else None)
        return seen

    def has_clock(self) -> None:
        """Install a clock that can be set forward. Call this before the page is opened."""
        self.page.clock.install()

    def set_forward(self, milliseconds: int) -> None:
        """Run everything that the page would do in this time now, and wait until its requests were sent."""
        self.page.clock.fast_forward(milliseconds)
        self.page.evaluate("fetch('/healthz').then((answer) => answer.text())")


class Tabs:
    """Opens pages, and asserts at the end that none of them had errors."""

    def __init__(self, browser: Browser, panel: Panel, app: Flask) -> None:
        self._browser, self._panel, self._app = browser, panel, app
        self._contexts: list[BrowserContext] = []
        self._tabs: list[Tab] = []

    def open(self, user: User | None = None, **options: object) -> Tab:
        context = self._browser.new_context(base_url=self._panel.url, **options)  # type: ignore[arg-type]
        self._contexts.append(context)
        if user is not None:
            context.add_cookies([{"name": "session", "value": session_cookie(self._app, user), "url": self._panel.url}])
        complaints = BrowserErrors(frozenset(urlsplit(url).netloc for url in (self._panel.url, self._panel.hub_url)))
        page = context.new_page()
        page.on("console", complaints.on_console)
        page.on("pageerror", lambda error: complaints.found.append(f"script: {error}"))
        context.on("request", complaints.on_request)
        tab = Tab(page, complaints)
        self._tabs.append(tab)
        return tab

    def close(self) -> list[str]:
        for context in self._contexts:
            context.close()
        return [complaint for tab in self._tabs for complaint in tab.complaints.found]


@pytest.fixture
def tabs(browser: Browser, panel: Panel, app: Flask) -> Iterator[Tabs]:
    opened = Tabs(browser, panel, app)
    yield opened
    assert opened.close() == []
