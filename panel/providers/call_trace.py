"""Trace of one HTTP call: whether a byte of the request was sent, and its connection."""

import contextlib
import math
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol


class _Closable(Protocol):
    async def aclose(self) -> None: ...


class CallTrace:
    """Records how far a call came, from the transport's trace events (httpcore, "trace" extension).

    A process that was suspended past the deadline `before` (monotonic seconds) sends nothing when it resumes.
    """

    def __init__(self, *, before: float = math.inf) -> None:
        self.before = before
        self.began = False
        self.is_on_new_connection = False
        self._connection: _Closable | None = None

    async def trace(self, event: str, details: Mapping[str, Any]) -> None:
        """The "trace" extension of a request. Raises TimeoutError rather than send after the deadline."""
        if event.startswith("connection.connect"):
            self.is_on_new_connection = True
        if event == "connection.connect_tcp.complete":
            self._connection = details["return_value"]
        if event.endswith("send_request_headers.started"):
            if time.monotonic() > self.before:
                raise TimeoutError
            self.began = True

    @contextlib.asynccontextmanager
    async def closing_on_failure(self) -> AsyncIterator[None]:
        """Close the connection that the call made if it fails: httpcore leaves it open when a TLS handshake is
        cancelled."""
        try:
            yield
        except BaseException:
            if self._connection is not None:
                await self._connection.aclose()
            raise
