"""Egress client (SSRF protection): POST to a URL chosen by a customer, which may only reach public addresses.

The host is resolved once, all its addresses are checked, and the call goes to a checked one. Redirects are not
followed, TLS is verified against the host name, and one deadline covers everything, including the look-up.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import httpx

from panel.domain.errors import BadInput
from panel.domain.network import public_ip_rules
from panel.domain.network.public_ip_rules import Pairs
from panel.providers.call_trace import CallTrace
from panel.providers.http import CONNECT_SECONDS, tls

MAX_BYTES = 64 * 1024
KEPT_SIGNS = 200
MAX_ADDRESSES = 4
# After the deadline the call still gets a moment to fail with its own error.
MIN_SECONDS = 0.001

# The same text for every connection failure: details would let a customer scan internal machines.
NO_CONNECTION = (
    "We could not connect. The name must lead to public addresses only, and the server must accept connections and "
    "have a valid certificate for its name. Nothing was sent."
)

Resolver = Callable[[str, int], Sequence[str]]


class NotReached(Exception):
    """No answer came, for the reason in the text. The server may still have read the request."""


@dataclass(frozen=True)
class HttpResponse:
    """The status of the answer and the beginning of its text."""

    status: int
    text: str


@dataclass(frozen=True)
class Target:
    """Where the call goes: the address as the customer wrote it, and the judged addresses behind it."""

    url: httpx.URL
    addresses: tuple[str, ...]


def look_up(host: str, port: int) -> list[str]:
    """All addresses of the host. Raises OSError when there is none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    timeout_seconds: float,
    test_hosts: Pairs = frozenset(),
    resolver: Resolver = look_up,
    kept_signs: int = KEPT_SIGNS,
) -> HttpResponse:
    """POST the body; whatever status comes back is an answer, of which `kept_signs` are read. Raises NotReached."""
    ends = time.monotonic() + timeout_seconds
    sent = CallTrace()
    target = find_target(url, timeout_seconds=timeout_seconds, test_hosts=test_hosts, resolver=resolver)
    left = max(ends - time.monotonic(), MIN_SECONDS)
    try:
        return asyncio.run(
            asyncio.wait_for(_call(target, body, dict(headers), left, sent, kept_signs=kept_signs), left)
        )
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        if not sent.began:
            raise NotReached(NO_CONNECTION) from error
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            raise NotReached(f"No answer within {timeout_seconds:g} seconds.") from error
        raise NotReached("The connection broke before a whole answer came.") from error


def find_target(url: str, *, timeout_seconds: float, test_hosts: Pairs, resolver: Resolver = look_up) -> Target:
    """Resolve the host once and check all its addresses. Raises NotReached if one is not public."""
    try:
        parsed = httpx.URL(public_ip_rules.check_url(url, test_hosts=test_hosts))
    except (BadInput, httpx.InvalidURL) as error:
        raise NotReached(str(error)) from error
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    found = _resolved(parsed.raw_host.decode("ascii"), port, resolver=resolver, timeout_seconds=timeout_seconds)
    judged = [
        public_ip_rules.allowed(written, port=port, is_tls=parsed.scheme == "https", test_hosts=test_hosts)
        for written in dict.fromkeys(found)
    ]
    passed = tuple(address for address in judged if address is not None)
    if not passed or len(passed) != len(judged):
        raise NotReached(NO_CONNECTION)
    return Target(parsed, passed[:MAX_ADDRESSES])


def _resolved(host: str, port: int, *, resolver: Resolver, timeout_seconds: float) -> Sequence[str]:
    """Resolve in a daemon thread, which is abandoned if it takes too long."""
    found: list[Sequence[str]] = []

    def ask() -> None:
        try:
            found.append(resolver(host, port))
        except (OSError, ValueError):
            found.append(())

    thread = threading.Thread(target=ask, name="look-up", daemon=True)
    thread.start()
    thread.join(timeout_seconds)
    return found[0] if found else ()


async def _call(
    target: Target, body: bytes, headers: dict[str, str], timeout_seconds: float, sent: CallTrace, *, kept_signs: int
) -> HttpResponse:
    timeout = httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds))
    async with (
        httpx.AsyncClient(verify=tls(), timeout=timeout, trust_env=False, follow_redirects=False) as client,
        sent.closing_on_failure(),
    ):
        *others, last = (_request(client, target.url, address, body, headers) for address in target.addresses)
        for request in (*others, last):
            request.extensions["trace"] = sent.trace
        for request in others:
            try:
                return await _send(client, request, kept_signs)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await _send(client, last, kept_signs)


def _request(
    client: httpx.AsyncClient, url: httpx.URL, address: str, body: bytes, headers: dict[str, str]
) -> httpx.Request:
    """Request to a checked IP address, with the host name in the Host header and in TLS (SNI, certificate)."""
    return client.build_request(
        "POST",
        url.copy_with(host=address),
        content=body,
        headers={"Accept-Encoding": "identity", "User-Agent": "panel"} | headers | {"Host": url.netloc.decode("ascii")},
        extensions={"sni_hostname": url.raw_host.decode("ascii")},
    )


async def _send(client: httpx.AsyncClient, request: httpx.Request, kept_signs: int) -> HttpResponse:
    answer = await client.send(request, stream=True)
    try:
        read = bytearray()
        async for piece in answer.aiter_raw():
            read += piece
            if len(read) > max(MAX_BYTES, 4 * kept_signs):
                break
    finally:
        await answer.aclose()
    return HttpResponse(answer.status_code, _beginning(bytes(read), kept_signs))


def _beginning(body: bytes, kept_signs: int) -> str:
    text = " ".join(body[: 4 * kept_signs].decode(errors="replace").split())
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)[:kept_signs]
