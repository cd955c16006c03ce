"""Fake provider API on a real socket, for bad responses: it records calls and sends the configured answers.

An answer is bytes to send, or a function that gets the connection and the call.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from panel.db import transaction
from panel.models import Provider
from panel.services.providers import registry as provider_registry
from tests.support.factories import NOON

KEY = "a-key-of-the-provider"


@dataclass(frozen=True)
class ProviderCall:
    """A request that the server received."""

    action: str
    fields: dict[str, str]


Answer = bytes | Callable[[socket.socket, ProviderCall], None]


def http_response(
    body: bytes | object, *, status: str = "200 OK", length: int | None = None, headers: str = ""
) -> bytes:
    """A complete HTTP response. A body that isn't bytes is sent as JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n{headers}"
    return head.encode() + b"Connection: close\r\n\r\n" + body


@dataclass
class HostileProvider:
    """The server, with `answers` by action. Each call is recorded before it is answered."""

    listener: socket.socket
    answers: dict[str, Answer] = field(default_factory=dict)
    calls: list[ProviderCall] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    orders: int = 1000

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v2"

    def count(self, action: str) -> int:
        return sum(call.action == action for call in self.calls)

    def takes_orders(self) -> None:
        """Accept each order from now on, with the next id."""
        self.answers["add"] = self._take

    def _take(self, connection: socket.socket, _call: ProviderCall) -> None:
        self.orders += 1
        connection.sendall(http_response({"order": self.orders}))

    def serve(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError):
            call = _read(connection)
            self.calls.append(call)
            answer = self.answers.get(call.action, http_response({"error": "Incorrect request"}))
            if isinstance(answer, bytes):
                connection.sendall(answer)
            else:
                answer(connection, call)


def _read(connection: socket.socket) -> ProviderCall:
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += _more(connection)
    fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return ProviderCall(fields.pop("action"), fields)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ValueError("the caller hung up")
    return data


@contextlib.contextmanager
def hostile_provider(port: int = 0) -> Iterator[HostileProvider]:
    """A listening server, closed afterwards."""
    listener = socket.create_server(("127.0.0.1", port))
    server = HostileProvider(listener)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def provider_at(url: str, *, settings: object, name: str = "upstream") -> Provider:
    """A panel_api provider at this address, with an encrypted key."""
    ciphertext = provider_registry.encrypt(KEY, settings=settings)  # type: ignore[arg-type]
    with transaction():
        return provider_registry.add_provider(name, kind="panel_api", url=url, encrypted_key=ciphertext, now=NOON)


def hang(server: HostileProvider) -> Answer:
    """Send nothing until the server is closed."""

    def answer(_connection: socket.socket, _call: ProviderCall) -> None:
        server.stopping.wait(60)

    return answer


def drop(connection: socket.socket, _call: ProviderCall) -> None:
    """Reset the connection immediately."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def drip(server: HostileProvider) -> Answer:
    """Send a byte of an endless answer every 50 ms."""

    def answer(connection: socket.socket, _call: ProviderCall) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not server.stopping.wait(0.05):
            connection.sendall(b" ")

    return answer


def flood(connection: socket.socket, _call: ProviderCall) -> None:
    """Send a body of 1 GiB, for as long as the client reads."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    piece = b"[" * 1_048_576
    for _ in range(1024):
        connection.sendall(piece)
