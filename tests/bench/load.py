"""Load client: a few keep-alive connections in one thread, each sending the next request after a response."""

import itertools
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

CONNECTIONS = 8
PIECE = 1 << 18

_numbers = itertools.count()


@dataclass(frozen=True)
class LoadTarget:
    """An address with its headers, and the expected status of every response. With a body it is a POST.

    With `is_uncached` each request has a unique cookie or field, so that no cached response is found.
    """

    name: str
    port: int
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    body: bytes = b""
    is_uncached: bool = False

    def requests(self) -> Iterator[bytes]:
        """Endless sequence of requests."""
        if not self.is_uncached:
            yield from itertools.repeat(self.request)
        for number in _numbers:
            if self.body:
                yield replace(self, body=self.body + b"&n=%d" % number).request
            else:
                yield replace(self, path=f"{self.path}?n={number}").request

    @property
    def request(self) -> bytes:
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(self.body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + self.body


class _Connection:
    def __init__(self, target: LoadTarget) -> None:
        self.socket = socket.create_connection(("127.0.0.1", target.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pieces = b""
        self.wanted = 0

    def receive(self, status: bytes) -> bool:
        """Read available data; whether a response is complete. Raises AssertionError for an unexpected status."""
        self.pieces += self.socket.recv(PIECE)
        if not self.wanted:
            end = self.pieces.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = self.pieces[:end].lower()
            assert head.startswith(status), self.pieces[:200]
            place = head.find(b"content-length: ")
            length = 0 if place < 0 or status.endswith(b"304") else int(head[place + 16 :].split(b"\r", 1)[0])
            self.wanted = end + 4 + length
        if len(self.pieces) < self.wanted:
            return False
        self.pieces, self.wanted = b"", 0
        return True


def requests_per_second(target: LoadTarget, *, seconds: float) -> float:
    """Responses per second of this address over this many seconds, with its server kept busy."""
    requests, status = target.requests(), f"http/1.1 {target.status}".encode()
    connections = [_Connection(target) for _ in range(CONNECTIONS)]
    with selectors.DefaultSelector() as ready:
        for connection in connections:
            ready.register(connection.socket, selectors.EVENT_READ, connection)
            connection.socket.sendall(next(requests))
        answered, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds:
            for key, _events in ready.select(timeout=1):
                if key.data.receive(status):
                    answered += 1
                    key.data.socket.sendall(next(requests))
    for connection in connections:
        connection.socket.close()
    return answered / spent


def fetch(target: LoadTarget) -> bytes:
    """The body of one response."""
    return _answer(target)[1]


def fetch_headers(target: LoadTarget) -> dict[str, str]:
    """The headers of one response, by lower-case name."""
    lines = _answer(target)[0].decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}


def _answer(target: LoadTarget) -> tuple[bytes, bytes]:
    connection = _Connection(target)
    with connection.socket:
        connection.socket.sendall(target.request)
        whole = b""
        while b"\r\n\r\n" not in whole:
            whole += connection.socket.recv(PIECE)
        head, _, body = whole.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r")[0])
        while len(body) < length:
            body += connection.socket.recv(PIECE)
    assert head.startswith(f"HTTP/1.1 {target.status}".encode()), head
    return head, body
