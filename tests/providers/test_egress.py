"""Egress (webhook calls): only public internet addresses are reached."""

import gc
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from panel.domain.network.public_ip_rules import read_pairs
from panel.providers import egress
from panel.providers.egress import NotReached
from tests.support.webhook_servers import RecordingServer, a_server, a_tls_server, answer_of


def resolve_to(*found: str, asked: list[str] | None = None) -> egress.Resolver:
    def resolver(host: str, _port: int) -> Sequence[str]:
        if asked is not None:
            asked.append(host)
        return found

    return resolver


@pytest.mark.parametrize(
    "found",
    [
        ("127.0.0.1",),
        ("8.8.8.8", "10.0.0.1"),
        ("10.0.0.1", "8.8.8.8"),
        ("2606:4700:4700::1111", "::1"),
        ("::ffff:192.168.0.1",),
        ("64:ff9b::a00:1",),
        ("2002:7f00:1::",),
        ("169.254.169.254",),
        ("fd00::1",),
        ("odd",),
        (),
    ],
)
def test_a_name_that_leads_to_any_inner_address_is_not_called(found: tuple[str, ...]) -> None:
    with pytest.raises(NotReached, match=egress.NO_CONNECTION):
        egress.find_target(
            "https://panel.example.com/", timeout_seconds=1, test_hosts=frozenset(), resolver=resolve_to(*found)
        )


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "0177.0.0.1", "127.0.1", "0.0"])
def test_an_address_in_an_odd_spelling_is_judged_as_what_it_leads_to(host: str) -> None:
    with pytest.raises(NotReached):
        egress.post(f"https://{host}:1/", b"", headers={}, timeout_seconds=5)


def test_the_name_is_looked_up_once_and_the_judged_address_is_called() -> None:
    asked: list[str] = []
    with a_server() as server:
        hosts = read_pairs(f"127.0.0.1:{server.port}")
        target = egress.find_target(
            f"https://rebinding.example.com:{server.port}/x",
            timeout_seconds=1,
            test_hosts=hosts,
            resolver=resolve_to("127.0.0.1", asked=asked),
        )

    assert asked == ["rebinding.example.com"]
    assert target.addresses == ("127.0.0.1",)
    assert str(target.url) == f"https://rebinding.example.com:{server.port}/x"


def test_a_second_answer_of_the_name_is_never_asked_for() -> None:
    """The first DNS answer is public, the second would be private: the call goes to the first, and fails there."""
    answers = [["192.0.2.77"], ["127.0.0.1"]]
    asked = []

    def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return answers[len(asked) - 1]

    with a_server() as server:
        hosts = read_pairs(f"192.0.2.77:{server.port}")
        with pytest.raises(NotReached):
            egress.post(
                f"https://rebinding.example.com:{server.port}/",
                b"{}",
                headers={},
                timeout_seconds=1,
                test_hosts=hosts,
                resolver=rebinding,
            )

    assert len(asked) == 1
    assert server.connections == 0


def send(server: RecordingServer, *, timeout_seconds: float = 5) -> egress.HttpResponse:
    headers = {"Content-Type": "application/json", "Webhook-Id": "evt_1"}
    return egress.post(
        server.url, b'{"a":1}', headers=headers, timeout_seconds=timeout_seconds, test_hosts=server.pairs
    )


def test_the_body_and_the_headers_arrive_as_they_are() -> None:
    with a_server(answer_of("200 OK", b"thank\nyou\x00")) as server:
        answer = send(server)

    (request,) = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /hook?a=b HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines and "Webhook-Id: evt_1" in lines
    assert body == b'{"a":1}'
    assert (answer.status, answer.text) == (200, "thank you\N{REPLACEMENT CHARACTER}")


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with a_server() as other:
        with a_server(answer_of("302 Found", b"", f"Location: {other.url}")) as server:
            answer = send(server)

    assert answer.status == 302
    assert other.connections == 0


def test_a_long_answer_is_not_read_to_its_end() -> None:
    with a_server(answer_of("200 OK", b"x" * 5_000_000)) as server:
        answer = send(server)

    assert (answer.status, answer.text) == (200, "x" * 200)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100, b"x" * 1000])
def test_a_slow_answer_ends_with_the_deadline(answer: bytes) -> None:
    with a_server(answer, pause_seconds=0.1) as server:
        began = time.monotonic()
        with pytest.raises(NotReached):
            send(server, timeout_seconds=1)

    assert time.monotonic() - began < 3


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"])
def test_incomplete_dns_answer_is_none(answer: bytes) -> None:
    with a_server(answer) as server, pytest.raises(NotReached):
        send(server)


def test_a_slow_look_up_ends_with_the_deadline() -> None:
    given_up = threading.Event()

    def slow(_host: str, _port: int) -> Sequence[str]:
        given_up.wait(10)
        return ["8.8.8.8"]

    began = time.monotonic()
    with pytest.raises(NotReached, match=egress.NO_CONNECTION):
        egress.post("https://slow.example.com/", b"", headers={}, timeout_seconds=0.3, resolver=slow)
    took = time.monotonic() - began
    given_up.set()

    assert took < 5


# An aborted handshake leaves its transport to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_every_failure_to_connect_has_the_same_text(tmp_path: Path) -> None:
    """Otherwise the delivery log would reveal whether an internal name exists, and whether a server listens there."""
    with a_server() as gone:
        pass
    messages = set()
    ended = threading.Event()

    def record_failure(url: str, *found: str, hosts: str = "", resolver: egress.Resolver | None = None) -> None:
        with pytest.raises(NotReached) as failure:
            resolve = resolver or resolve_to(*found)
            pairs = read_pairs(hosts)
            egress.post(url, b"", headers={}, timeout_seconds=0.5, test_hosts=pairs, resolver=resolve)
        messages.add(str(failure.value))

    def slow(_host: str, _port: int) -> Sequence[str]:
        ended.wait(10)
        return ["8.8.8.8"]

    def unknown(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    record_failure("https://inner.example.com/", "10.0.0.1")
    record_failure("https://nowhere.example.com/", resolver=unknown)
    record_failure("https://slow.example.com/", resolver=slow)
    record_failure(gone.url, "127.0.0.1", hosts=f"127.0.0.1:{gone.port}")
    with a_server(b"no TLS at all") as server:
        record_failure(f"https://plain.example.com:{server.port}/", "127.0.0.1", hosts=f"127.0.0.1:{server.port}")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        record_failure(f"https://silent.example.com:{port}/", "127.0.0.1", hosts=f"127.0.0.1:{port}")
    with a_tls_server(tmp_path, name="elsewhere.example.com") as port:
        record_failure(f"https://other.example.com:{port}/", "127.0.0.1", hosts=f"127.0.0.1:{port}")

    ended.set()
    gc.collect()

    assert messages == {egress.NO_CONNECTION}


@pytest.mark.parametrize("port", [22, 8080, 8443, 9000, 65535])
def test_only_the_ports_of_the_web_are_called(port: int) -> None:
    asked: list[str] = []

    with pytest.raises(NotReached, match="port 443"):
        egress.post(
            f"https://panel.example.com:{port}/",
            b"",
            headers={},
            timeout_seconds=1,
            resolver=resolve_to("8.8.8.8", asked=asked),
        )

    assert asked == []


def test_a_test_host_opens_its_port_for_itself_alone() -> None:
    with pytest.raises(NotReached, match=egress.NO_CONNECTION):
        egress.find_target(
            "https://panel.example.com:8210/",
            timeout_seconds=1,
            test_hosts=read_pairs("127.0.0.1:8210"),
            resolver=resolve_to("8.8.8.8"),
        )


def send_over_tls(port: int, *, host: str) -> egress.HttpResponse:
    return egress.post(
        f"https://{host}:{port}/",
        b"{}",
        headers={},
        timeout_seconds=5,
        test_hosts=read_pairs(f"127.0.0.1:{port}"),
        resolver=resolve_to("127.0.0.1"),
    )


def test_the_certificate_is_verified_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    with a_tls_server(tmp_path, name="panel.example.com") as port:
        answer = send_over_tls(port, host="panel.example.com")
        with pytest.raises(NotReached, match=egress.NO_CONNECTION):
            send_over_tls(port, host="other.example.com")
        with pytest.raises(NotReached, match=egress.NO_CONNECTION):
            send_over_tls(port, host="127.0.0.1")

    assert (answer.status, answer.text) == (200, f"panel.example.com:{port}")
