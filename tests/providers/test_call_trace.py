"""Trace of an HTTP call: its connection is closed when the call fails."""

import asyncio
import contextlib
import gc

import httpx

from panel.providers.call_trace import CallTrace
from panel.providers.http import tls

WITHIN_SECONDS = 5.0


def test_connection_is_closed_when_its_tls_handshake_is_cancelled() -> None:
    gc.disable()
    try:
        assert asyncio.run(_cancelled_handshake_is_closed())
    finally:
        gc.enable()


async def _cancelled_handshake_is_closed() -> bool:
    hello, closed = asyncio.Event(), asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        hello.set()
        await reader.read()
        closed.set()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server, asyncio.timeout(WITHIN_SECONDS):
        call = asyncio.create_task(_call(server.sockets[0].getsockname()[1]))
        await hello.wait()
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        return await closed.wait()


async def _call(port: int) -> None:
    trace = CallTrace()
    request = httpx.Request("POST", f"https://127.0.0.1:{port}/", extensions={"trace": trace.trace})
    async with trace.closing_on_failure():
        await httpx.AsyncHTTPTransport(verify=tls(), trust_env=False).handle_async_request(request)
