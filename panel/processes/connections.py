"""Slow client protection (slowloris): closes connections whose request is late (408), caps connections per address.

The web server has a timeout for headers, none for bodies, and no cap. The kernel knows for each connection how many
bytes were received and how many sent bytes were acknowledged; a thread checks both twice a second and shuts down what
is too slow. Linux only (`TCP_INFO`, `/proc/self/fd`); elsewhere only the web server's own header timeout applies.
"""

import os
import socket
import struct
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from panel.security import network_of

LOOK_SECONDS = 0.5
# While nobody is connected a look only compares which files are open: a new connection is one more. One that took the
# number of a closed file is seen after this many looks.
QUIET_LOOKS = 6
# From a request's first byte to the first byte of its answer.
REQUEST_SECONDS = 10.0
# A large body has a second more for each 200 kB that have arrived: 26 MB of images over a slow line get two minutes.
BYTES_A_SECOND = 200_000
# Longer than the web server's keep-alive: a connection this old neither sends nor reads.
IDLE_SECONDS = 45.0
# Per web process. A browser opens six; many people may share one address.
MAX_CONNECTIONS_PER_NETWORK = 64
# A request that is younger than this is not slow yet.
SLOW_SECONDS = 1.0

# In the kernel's struct tcp_info: our bytes that the peer acknowledged, and bytes received.
_COUNTS = struct.Struct("=QQ")
_COUNTS_AT = 120
_INFO_BYTES = 256
# The request may have arrived and be running, so the text claims neither.
_WORDS = b"The request took too long. Check what became of it before you send it again.\n"
_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_WORDS), _WORDS)
)


@dataclass
class Connection:
    """A client connection, with its state at the last check."""

    network: str
    sent: int
    received: int
    moved_at: float
    # When the first byte of an unanswered request was seen, and how many bytes had arrived before it.
    asked_at: float | None
    received_before: int = 0

    def look(self, *, sent: int, received: int, now: float) -> None:
        if sent != self.sent:
            self.asked_at = None
        elif received != self.received and self.asked_at is None:
            self.asked_at, self.received_before = now, self.received
        if (sent, received) != (self.sent, self.received):
            self.sent, self.received, self.moved_at = sent, received, now

    def is_late(self, now: float) -> bool:
        allowed = REQUEST_SECONDS + (self.received - self.received_before) / BYTES_A_SECOND
        return self.asked_at is not None and now - self.asked_at > allowed

    def is_idle(self, now: float) -> bool:
        return now - self.moved_at > IDLE_SECONDS

    def goes_first(self, now: float) -> tuple[bool, float]:
        """Sort key for closing surplus connections: slow requests first, then the longest idle."""
        is_slow = self.asked_at is not None and now - self.asked_at > SLOW_SECONDS
        return (not is_slow, self.asked_at if self.asked_at is not None and is_slow else self.moved_at)


def watch(*, has_proxy: bool) -> None:
    """Monitor this process's connections. Behind a proxy all have the same address, so there is no cap."""
    if sys.platform == "linux":
        threading.Thread(target=_keep_looking, args=(has_proxy,), name="connections", daemon=True).start()


def _keep_looking(has_proxy: bool) -> None:
    known: dict[str, Connection] = {}
    quiet = QuietLooks()
    while True:
        time.sleep(LOOK_SECONDS)
        with suppress(OSError):
            files = os.listdir("/proc/self/fd")  # noqa: PTH208 (names are enough)
            if quiet.is_another(files, has_connections=bool(known)):
                continue
            known = check_connections(known, has_cap=not has_proxy, now=time.monotonic())


class QuietLooks:
    """Looks that find nobody connected and the same files open as before, so that there is nothing to check."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._looks = 0

    def is_another(self, files: list[str], *, has_connections: bool) -> bool:
        is_quiet = not has_connections and files == self._files and self._looks < QUIET_LOOKS
        self._files, self._looks = files, self._looks + 1 if is_quiet else 0
        return is_quiet


def check_connections(known: dict[str, Connection], *, has_cap: bool, now: float) -> dict[str, Connection]:
    """Check every connection once; close those that are late, idle or surplus. Returns the new state."""
    seen: dict[str, Connection] = {}
    with ExitStack() as opened:
        clients = {name: opened.enter_context(client) for name, client in _accepted()}
        for name, client in clients.items():
            with suppress(OSError):  # Closed in the meantime.
                sent, received = _counts(client)
                first = known.get(name) or Connection(
                    network_of(client.getpeername()[0]), sent, received, moved_at=now, asked_at=None if sent else now
                )
                first.look(sent=sent, received=received, now=now)
                seen[name] = first
        ends = {name for name, connection in seen.items() if connection.is_late(now) or connection.is_idle(now)}
        for name in ends | (_too_many(seen, now=now) if has_cap else set()):
            _end(clients[name], says_late=seen[name].is_late(now) and seen[name].received > 0)
    return seen


def _too_many(seen: dict[str, Connection], *, now: float) -> set[str]:
    by_network: dict[str, list[str]] = defaultdict(list)
    for name, connection in seen.items():
        by_network[connection.network].append(name)
    ends: set[str] = set()
    for names in by_network.values():
        names.sort(key=lambda name: seen[name].goes_first(now))
        ends.update(names[: max(0, len(names) - MAX_CONNECTIONS_PER_NETWORK)])
    return ends


def _counts(client: socket.socket) -> tuple[int, int]:
    known = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    sent, received = _COUNTS.unpack_from(known, _COUNTS_AT)
    return int(sent), int(received)


def _accepted() -> list[tuple[str, socket.socket]]:
    """Accepted connections: the kernel's inode of each, with a duplicated socket for queries."""
    found = list(_sockets())
    ports = {client.getsockname()[1] for _name, client in found if _listens(client)}
    accepted = []
    for name, client in found:
        if not _listens(client) and client.getsockname()[1] in ports:
            accepted.append((name, client))
        else:
            client.close()
    return accepted


def _sockets() -> Iterator[tuple[str, socket.socket]]:
    for link in Path("/proc/self/fd").iterdir():
        # The descriptor may have been closed or reused by now, so the duplicate is verified.
        with suppress(OSError):
            if not str(link.readlink()).startswith("socket:"):
                continue
            client = socket.socket(fileno=os.dup(int(link.name)))
            if client.family in (socket.AF_INET, socket.AF_INET6):
                yield str(os.fstat(client.fileno()).st_ino), client
            else:
                client.close()


def _listens(client: socket.socket) -> bool:
    return bool(client.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _end(client: socket.socket, *, says_late: bool) -> None:
    """Shut the connection down. The web server, which shares it, sees the end and closes it."""
    with suppress(OSError):
        if says_late:
            client.send(_ANSWER, socket.MSG_DONTWAIT)
        client.shutdown(socket.SHUT_RDWR)
