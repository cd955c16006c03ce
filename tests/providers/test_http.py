"""HTTP client against a hostile server: time and memory limits, and a correct `was_sent`."""

import resource
import socket
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.providers import http
from panel.providers.http import CallFailed, ErrorStatus
from tests.support.hostile_provider import (
    Answer,
    HostileProvider,
    drip,
    drop,
    flood,
    hang,
    hostile_provider,
    http_response,
)
from tests.support.slow_provider import slow_provider

SECONDS = 1.0
SLACK_SECONDS = 1.5
MAX_KILOBYTES = 50 * 1024


@pytest.fixture
def server() -> Iterator[HostileProvider]:
    with hostile_provider() as server:
        yield server


def failure(server: HostileProvider, answer: Answer) -> CallFailed:
    server.answers["status"] = answer
    with pytest.raises(CallFailed) as caught:
        http.post(server.url, {"action": "status"}, timeout_seconds=SECONDS)
    return caught.value


def bomb() -> bytes:
    """200 MB in gzip, which would take a second to compress whole: one block, repeated."""
    gzip = zlib.compressobj(9, wbits=31)
    first, block = (gzip.compress(b"0" * 1_000_000) + gzip.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + block * 199


def test_an_answer_is_parsed_without_a_single_float(server: HostileProvider) -> None:
    server.answers["status"] = http_response(b'{"a": 1, "b": 0.1, "c": 1e2, "d": NaN, "e": ' + b"9" * 50 + b"}")

    answer = http.post(server.url, {"action": "status"}, timeout_seconds=SECONDS)

    assert answer == {"a": 1, "b": "0.1", "c": "1e2", "d": "NaN", "e": "9" * 40}


@pytest.mark.parametrize(
    "answer",
    [
        http_response(b"", status="500 Internal Server Error"),
        http_response(b"<html>Moved</html>"),
        http_response(b""),
        http_response(b'{"order": 12'),
        http_response({"order": 12}, status="301 Moved Permanently"),
        http_response({"order": 12}, length=500),
        http_response(b"\xff\xfe"),
        http_response(b"[" * 1_000_000),
        http_response(b"[" * 2_000_000),
        http_response(b'{"a":' * 190_000),
        http_response(b"x" * 1_200_000),
        http_response(bomb(), headers="Content-Encoding: gzip\r\n"),
        http_response(b"", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
        b"nothing like HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 500_000,
        b"",
        drop,
        flood,
    ],
    ids=range(18),
)
def test_a_hostile_answer_fails_as_sent_in_time_and_in_little_memory(server: HostileProvider, answer: Answer) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()

    failed = failure(server, answer)

    assert failed.was_sent
    assert time.monotonic() - began < SECONDS + SLACK_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_KILOBYTES
    assert len(server.calls) == 1


@pytest.mark.parametrize("make", [hang, drip])
def test_a_slow_answer_ends_at_the_deadline(server: HostileProvider, make: object) -> None:
    began = time.monotonic()

    failed = failure(server, make(server))  # type: ignore[operator]

    assert failed.was_sent
    assert SECONDS - 0.1 < time.monotonic() - began < SECONDS + SLACK_SECONDS


def test_a_redirect_is_not_followed(server: HostileProvider) -> None:
    with hostile_provider() as other:
        place = f"Location: {other.url}\r\n"
        failure(server, http_response(b"", status="307 Temporary Redirect", headers=place))

        assert (len(server.calls), len(other.calls)) == (1, 0)


def test_nothing_listening_is_proved_to_be_unsent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]

    with pytest.raises(CallFailed) as caught:
        http.post(f"http://127.0.0.1:{port}/", {}, timeout_seconds=SECONDS)

    assert not caught.value.was_sent


def test_a_name_that_is_none_is_proved_to_be_unsent() -> None:
    with pytest.raises(CallFailed) as caught:
        http.post("https://no-such-host.invalid/", {}, timeout_seconds=SECONDS)

    assert not caught.value.was_sent


def test_tls_that_is_none_is_proved_to_be_unsent(server: HostileProvider) -> None:
    with pytest.raises(CallFailed) as caught:
        http.post(server.url.replace("http://", "https://"), {}, timeout_seconds=SECONDS)

    assert not caught.value.was_sent
    assert server.calls == []


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "203 Non-Authoritative", "299 Fine"])
@pytest.mark.parametrize("before", ["", "\ufeff", "\ufeff\ufeff", " \r\n\ufeff\n"])
def test_any_status_of_success_is_an_answer_with_or_without_a_byte_order_mark(
    server: HostileProvider, status: str, before: str
) -> None:
    server.answers["status"] = http_response(before.encode() + b'{"order": 12}', status=status)

    assert http.post(server.url, {"action": "status"}, timeout_seconds=SECONDS) == {"order": 12}


@pytest.mark.parametrize(
    ("body", "answer"), [({"error": "Bad link"}, {"error": "Bad link"}), (b"", None), (b"<p>", None)]
)
@pytest.mark.parametrize("status", [400, 429, 500])
def test_the_body_of_an_error_status_is_kept_where_it_is_json(
    server: HostileProvider, status: int, body: object, answer: object
) -> None:
    failed = failure(server, http_response(body, status=f"{status} No"))

    assert isinstance(failed, ErrorStatus)
    assert (failed.status, failed.answer, failed.was_sent) == (status, answer, True)


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://127.0.0.1/", "https://a:b@example.com/", "https://"])
def test_an_address_that_is_not_safe_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|Plain"):
        http.check_url(url)


def test_one_slow_call_does_not_hold_another(server: HostileProvider) -> None:
    server.answers |= {"status": hang(server), "balance": http_response({"balance": "1"})}
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(http.post, server.url, {"action": "status"}, timeout_seconds=2 * SECONDS)

        answer = http.post(server.url, {"action": "balance"}, timeout_seconds=SECONDS)

        assert answer == {"balance": "1"}
        assert not slow.done()
        assert isinstance(slow.exception(), CallFailed)


def test_a_question_uses_a_kept_connection_and_an_order_one_of_its_own() -> None:
    with slow_provider(0) as provider:
        for _ in range(3):
            http.post(provider.url, {"action": "balance"}, timeout_seconds=SECONDS, may_repeat=True)
        kept = provider.connections
        for _ in range(3):
            http.post(provider.url, {"action": "add", "link": "a"}, timeout_seconds=SECONDS)

        assert (kept, provider.connections) == (1, 4)


@pytest.mark.parametrize("is_repeatable", [True, False])
def test_a_question_is_repeated_once_if_its_kept_connection_was_closed(is_repeatable: bool) -> None:
    with slow_provider(0) as provider:
        http.post(provider.url, {"action": "balance"}, timeout_seconds=SECONDS, may_repeat=is_repeatable)
        provider.answer_add = lambda _fields: None

        with pytest.raises(CallFailed) as caught:
            http.post(provider.url, {"action": "add", "link": "a"}, timeout_seconds=SECONDS, may_repeat=is_repeatable)

        assert caught.value.was_sent
        assert provider.calls["add"] == (2 if is_repeatable else 1)


def test_a_question_on_a_new_connection_is_asked_once() -> None:
    with slow_provider(0) as provider:
        provider.answer_add = lambda _fields: None

        with pytest.raises(CallFailed):
            http.post(provider.url, {"action": "add", "link": "a"}, timeout_seconds=SECONDS, may_repeat=True)

        assert provider.calls["add"] == 1
