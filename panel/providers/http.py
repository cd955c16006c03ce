"""HTTP client for upstream panels, whose responses are untrusted.

A call that must happen once has a connection of its own: on a kept one, which the provider may close at that moment, an
order could be unclear for no other reason, and the rest of an earlier response could pass for the answer. Questions
whose answers name what they are about may use a kept connection, and are repeated once if it turns out to be closed.

One deadline covers the whole call, including the look-up. The body size is capped, redirects are not followed, TLS is
verified, nothing is decompressed, and every failure says whether a byte of the request had been sent.
"""

import asyncio
import ipaddress
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

import httpx

from panel.providers.call_trace import CallTrace

MEBIBYTE = 1024 * 1024
MAX_BYTES = MEBIBYTE
MAX_DIGITS = 40
OK = range(200, 300)
# A byte-order mark and JSON white space.
BEFORE_JSON = "\ufeff \t\r\n"
CONNECT_SECONDS = 5.0
# Extra wait beyond the deadline, in case the event loop is busy.
GRACE_SECONDS = 1.0
MAX_LOOKUPS = 64
# Kept connections of one provider, and how long an unused one is kept: name servers are asked again after that.
MAX_KEPT = 32
KEPT_SECONDS = 15.0


class CallFailed(Exception):
    """No usable answer. `was_sent` is False only if it is certain that no byte of the request was sent."""

    def __init__(self, text: str, *, was_sent: bool) -> None:
        super().__init__(text)
        self.text = text
        self.was_sent = was_sent


class ErrorStatus(CallFailed):
    """An HTTP status other than 2xx. Its JSON body may still contain a known error message."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the provider answered with status {status}", was_sent=True)
        self.status = status
        try:
            self.answer = _parse(body)
        except CallFailed:
            self.answer = None


def check_url(url: str) -> str:
    """The URL without spaces. Raises ValueError unless it is https, or http to loopback."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        is_whole = parts.scheme in ("https", "http") and parts.hostname and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.username or parts.fragment:
        raise ValueError("The address must look like https://panel.example.com/api/v2.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError("Plain http:// is accepted only to this machine itself. Use https://.")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Unusable(Exception):
    """A response or address that is rejected, with the reason."""


def post(
    url: str,
    fields: Mapping[str, str],
    *,
    timeout_seconds: float,
    most_bytes: int = MAX_BYTES,
    may_repeat: bool = False,
) -> Any:
    """POST a form and return the parsed JSON of any 2xx response. Raises CallFailed otherwise.

    `may_repeat`: a question that may be asked twice; it uses a kept connection.
    """
    sent = CallTrace(before=time.monotonic() + timeout_seconds)
    call_once = partial(_call, url, dict(fields), sent, timeout_seconds, most_bytes)
    calling = asyncio.wait_for(_on_kept_connection(call_once, sent) if may_repeat else call_once(), timeout_seconds)
    with _starting:
        loop = _loop(os.getpid())
    call = asyncio.run_coroutine_threadsafe(calling, loop)
    try:
        status, body = call.result(timeout_seconds + GRACE_SECONDS)
    except TimeoutError as error:
        # A call that has not finished may still be about to send.
        may_be_sent = sent.began or not call.done()
        call.cancel()
        raise CallFailed(f"no answer within {timeout_seconds:g} seconds", was_sent=may_be_sent) from error
    except (_Unusable, httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        raise CallFailed(_why(error, was_sent=sent.began), was_sent=sent.began) from error
    if status not in OK:
        raise ErrorStatus(status, body)
    return _parse(body)


# Two threads that call first together would get a loop each, and kept connections belong to one.
_starting = threading.Lock()


@cache
def _loop(_process: int) -> asyncio.AbstractEventLoop:
    """Event loop for all calls of this process. Unlike one loop per call, it never waits for a slow look-up to end."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(MAX_LOOKUPS, thread_name_prefix="look-up"))
    threading.Thread(target=loop.run_forever, name="provider-calls", daemon=True).start()
    return loop


def _why(error: Exception, *, was_sent: bool) -> str:
    """Error message for operators."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and isinstance(cause, Exception):
        causes.append(cause)
    for kind, words in _WORDS:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    if isinstance(error, _Unusable):
        return str(error)
    if was_sent:
        return "the connection broke before a whole answer came"
    return "no connection could be made"


# The first match wins. Some errors appear only as the cause of what httpx raises.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLCertVerificationError, "its certificate is not valid for its address"),
    (ssl.SSLError, "no secure connection could be made"),
    (socket.gaierror, "its host name was not found"),
    (ConnectionRefusedError, "the connection was refused"),
    (httpx.ConnectTimeout, "no connection was made in time"),
    (httpx.TimeoutException, "it stopped answering midway"),
    (httpx.InvalidURL, "its address can't be called"),
)


async def _on_kept_connection(
    call_once: Callable[..., Awaitable[tuple[int, bytes]]], sent: CallTrace
) -> tuple[int, bytes]:
    try:
        return await call_once(keeps=True)
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
        if sent.is_on_new_connection:
            raise
        return await call_once()


async def _call(
    url: str, fields: dict[str, str], sent: CallTrace, timeout_seconds: float, most_bytes: int, *, keeps: bool = False
) -> tuple[int, bytes]:
    try:
        url = check_url(url)
    except ValueError as error:
        raise _Unusable(str(error)) from error
    timeout = httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds / 2))
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "panel"}
    extensions = {"timeout": timeout.as_dict(), "trace": sent.trace}
    request = httpx.Request("POST", url, data=fields, headers=headers, extensions=extensions)
    origin = f"{request.url.scheme}://{request.url.netloc.decode()}" if keeps else ""
    async with sent.closing_on_failure():
        answer = await _transport(os.getpid(), origin).handle_async_request(request)
        try:
            if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
                raise _Unusable("the answer is packed although that was not asked for")
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > most_bytes:
                    raise _Unusable(f"the answer is longer than {most_bytes // MEBIBYTE} MiB")
            return answer.status_code, bytes(body)
        finally:
            await answer.aclose()


@cache
def _transport(_process: int, origin: str) -> httpx.AsyncHTTPTransport:
    """Connection pool of one provider; the one of the empty origin keeps no connection. It follows no redirect and
    stores no cookie."""
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=MAX_KEPT if origin else 0, keepalive_expiry=KEPT_SECONDS
    )
    return httpx.AsyncHTTPTransport(verify=tls(), trust_env=False, limits=limits)


@cache
def tls() -> ssl.SSLContext:
    """Shared TLS context: creating one reads every root certificate."""
    return httpx.create_ssl_context(trust_env=False)


def _parse(body: bytes) -> Any:
    """Parse a JSON body. PHP files saved with a byte-order mark print one each before it."""
    try:
        text = body.decode().lstrip(BEFORE_JSON)
        return json.loads(text, parse_int=_whole, parse_float=_text, parse_constant=_text)
    except (ValueError, RecursionError) as error:
        raise CallFailed("the answer is not JSON", was_sent=True) from error


def _whole(digits: str) -> object:
    return int(digits) if len(digits) <= MAX_DIGITS else _text(digits)


def _text(sign: str) -> str:
    """Fractional numbers stay text, so that no count is ever read from them."""
    return sign[:MAX_DIGITS]
