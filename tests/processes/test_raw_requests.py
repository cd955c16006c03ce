"""Malformed requests as raw bytes: exactly one Host or a 400, and no header poisons a cached page."""

import contextlib
import socket
from collections.abc import Iterator

import pytest
from flask import Flask

from panel.application import create_app
from tests.support import databases
from tests.support.factories import a_customer
from tests.support.servers import Panel, running_panel
from tests.support.session_cookies import session_cookie


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with running_panel(tmp_path_factory.mktemp("raw"), PANEL_WORKER="false") as panel:
        yield panel


@pytest.fixture
def site(panel: Panel) -> Iterator[Flask]:
    """The same site in this process, on the server's database."""
    app = create_app(databases.settings_for(panel.instance, port=panel.port))
    try:
        with app.app_context():
            yield app
    finally:
        databases.close(app)


def ask(panel: Panel, *lines: str) -> str:
    """The whole response to a request with these header lines."""
    request = "".join(f"{line}\r\n" for line in (*lines, "Connection: close", ""))
    with contextlib.closing(socket.create_connection(("127.0.0.1", panel.port), timeout=10)) as connection:
        connection.sendall(request.encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (["GET /healthz HTTP/1.1"], "400"),
        (["GET /healthz HTTP/1.0"], "400"),
        (["GET /healthz HTTP/1.1", "Host:"], "400"),
        (["GET /healthz HTTP/1.1", "Host: a.example", "Host: b.example"], "400"),
        (["GET /healthz HTTP/1.1", "Host: a.example", "Host: a.example"], "400"),
        (["GET /healthz HTTP/1.1", "Host: a.example,b.example"], "400"),
        (["GET /healthz HTTP/1.1", "Host: a.example"], "200"),
        (["GET /healthz HTTP/1.0", "Host: a.example"], "200"),
    ],
)
def test_a_request_names_one_host(panel: Panel, head: list[str], status: str) -> None:
    assert ask(panel, *head).split(" ")[1] == status


@pytest.mark.parametrize(
    "cookies",
    [["session ={}"], ["session\t={}"], ["theme=dark", "session ={}"], ["a=b; session ={}"], ["session={}", "a=b"]],
)
def test_no_cookie_header_puts_a_customers_page_before_a_visitor(panel: Panel, site: Flask, cookies: list[str]) -> None:
    customer = a_customer("12.50")
    value = session_cookie(site, customer)
    first = "GET /getting-started HTTP/1.1", "Host: a.example"

    own = ask(panel, *first, *(f"Cookie: {each.replace('{}', value)}" for each in cookies))
    visitors = ask(panel, *first)

    assert customer.email in own
    assert "cache-control: no-store" in own
    assert customer.email not in visitors
    assert "cache-control: no-cache" in visitors
