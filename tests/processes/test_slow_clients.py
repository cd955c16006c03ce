"""Slow clients, as raw sockets: two hundred of them don't block anybody else, and each gets a 408."""

import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from panel.processes import connections
from tests.support.servers import Panel, running_panel
from tests.support.waiting import until

SLOW = 200
PROBES = 8
HEAD = b"POST /log-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SLOW_HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "
SLOW_BODIES = (
    b"Content-Length: 900\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"Content-Length: 9\r\n\r\nemail=",
)
# Another address of this machine, which counts as another network.
ELSEWHERE = ("127.0.0.2", 0)
ENDS_SECONDS = connections.REQUEST_SECONDS + 3


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with running_panel(tmp_path_factory.mktemp("slow"), PANEL_WORKER="false") as panel:
        yield panel


def connect(panel: Panel, *, source: tuple[str, int] | None = None) -> socket.socket:
    return socket.create_connection(("127.0.0.1", panel.port), timeout=5, source_address=source)


def answer_to(request: bytes, panel: Panel, *, source: tuple[str, int] | None = None) -> bytes:
    with connect(panel, source=source) as client:
        client.sendall(request)
        return client.recv(1 << 16)


def is_from_the_site(answer: bytes) -> bool:
    """Whether a thread was free for the body: the site itself then refuses the form, which has no CSRF token."""
    return answer.split(b" ")[1] in (b"400", b"403") and b"content-security-policy: " in answer.lower()


def test_two_hundred_slow_connections_leave_the_site_to_others(panel: Panel) -> None:
    with ExitStack() as held:
        slow = [held.enter_context(connect(panel)) for _ in range(SLOW)]
        for number, client in enumerate(slow):
            begin = SLOW_HEAD if number % 2 else HEAD + SLOW_BODIES[number // 2 % len(SLOW_BODIES)]
            client.sendall(begin)
        times = []
        for _ in range(PROBES):
            for client in slow:
                with suppress(OSError):  # Connections above the limit are closed.
                    client.sendall(b"1")
            began = time.monotonic()
            with urllib.request.urlopen(f"{panel.url}/healthz", timeout=5) as answer:
                assert answer.status == 200
            times.append(time.monotonic() - began)
            time.sleep(0.2)
        form = answer_to(HEAD + b"Content-Length: 5\r\nConnection: close\r\n\r\nemail", panel, source=ELSEWHERE)

        assert max(times) < 1
        assert is_from_the_site(form)


def test_slow_header_and_slow_body_are_answered_408_in_time(panel: Panel) -> None:
    began = time.monotonic()
    with connect(panel) as header, connect(panel) as body, connect(panel) as chunked:
        header.sendall(SLOW_HEAD)
        body.sendall(HEAD + SLOW_BODIES[0])
        chunked.sendall(HEAD + SLOW_BODIES[1])
        answers = []
        for client in (header, body, chunked):
            client.settimeout(1)
            answer = b""
            while not answer and time.monotonic() - began < ENDS_SECONDS:
                with suppress(TimeoutError):
                    answer = client.recv(1 << 16)
                if client is not chunked:
                    client.sendall(b"1")
            answers.append(answer)

    assert [answer.split(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 408 Request Timeout"] * 3
    assert time.monotonic() - began < ENDS_SECONDS


def test_body_that_comes_in_pieces_but_in_time_is_read_whole(panel: Panel) -> None:
    with connect(panel) as client:
        client.sendall(HEAD + b"Content-Length: 20\r\n\r\nemail=")
        time.sleep(1.5)
        client.sendall(b"a%40example.co")
        answer = client.recv(1 << 16)

    assert is_from_the_site(answer)


def test_connections_of_one_address_are_capped(panel: Panel) -> None:
    with ExitStack() as held:
        clients = [held.enter_context(connect(panel)) for _ in range(SLOW)]

        assert until(lambda: sum(map(is_open, clients)) <= connections.MAX_CONNECTIONS_PER_NETWORK + 1, seconds=5)
        assert sum(map(is_open, clients)) >= connections.MAX_CONNECTIONS_PER_NETWORK


def is_open(client: socket.socket) -> bool:
    """Whether the server has not ended this connection, on which nothing was asked."""
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def test_slow_clients_hold_a_few_threads_at_most(panel: Panel) -> None:
    with ExitStack() as held:
        for _ in range(20):
            held.enter_context(connect(panel)).sendall(HEAD + SLOW_BODIES[0])
        refused = b""

        def is_refused() -> bool:
            nonlocal refused
            refused = answer_to(HEAD + b"Content-Length: 5\r\n\r\nemail", panel)
            return refused.startswith(b"HTTP/1.1 503 ")

        assert until(is_refused, seconds=5)
        assert b"retry-after: " in refused.lower()
        assert b"Nothing was recorded" in refused


def test_a_body_that_keeps_arriving_has_a_second_more_for_each_200_kilobytes() -> None:
    slow, standing = (connections.Connection("192.0.2.1", 0, 500, moved_at=0, asked_at=None) for _ in range(2))

    for connection, received in ((slow, 5_000_500), (standing, 1_500)):
        connection.look(sent=0, received=1_000, now=0)
        connection.look(sent=0, received=received, now=9)

    assert (slow.is_late(30), slow.is_late(36), standing.is_late(10.5)) == (False, True, True)


def test_connections_are_checked_when_files_open_or_close_and_now_and_then_anyway() -> None:
    quiet = connections.QuietLooks()
    assert not quiet.is_another(["0", "7"], has_connections=False)

    skipped = [quiet.is_another(["0", "7"], has_connections=False) for _look in range(connections.QUIET_LOOKS + 2)]

    # One of them may be a connection that took the number of a closed file.
    assert skipped == [True] * connections.QUIET_LOOKS + [False, True]
    assert not quiet.is_another(["0", "7", "8"], has_connections=False)
    assert not quiet.is_another(["0", "7", "8"], has_connections=True)
