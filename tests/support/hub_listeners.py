"""Browsers that listen to a hub in this process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from panel.hub.application import Hub
from panel.security import push_address

WITHIN_SECONDS = 5.0
NEAR = "127.0.0.1"


@dataclass
class Listener:
    """A browser connected to the hub, with the events so far."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    is_over: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.text += message["body"].decode()
            self.is_over = not message.get("more_body", False)
        self.news.set()

    @property
    def ids(self) -> list[str]:
        return [line.removeprefix("id: ") for line in self.text.splitlines() if line.startswith("id: ")]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_SECONDS):
            while not holds():
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def listening(
    hub: Hub, cookie: str = "", *, method: str = "GET", query: str = "", client: str = NEAR, **headers: str
) -> AsyncIterator[Listener]:
    given = {"host": "127.0.0.1:8001", "cookie": f"session={cookie}" if cookie else ""} | headers
    scope = {
        "type": "http",
        "method": method,
        "client": (client, 50_000),
        "path": push_address.PATH,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()],
    }
    listener = Listener()
    answer = asyncio.create_task(hub(scope, listener.receive, listener.send))
    try:
        yield listener
    finally:
        listener.gone.set()
        await answer


@contextlib.asynccontextmanager
async def running(hub: Hub) -> AsyncIterator[None]:
    """A running hub, stopped afterwards."""
    stop, started = asyncio.Event(), asyncio.Event()
    messages = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> dict[str, str]:
        message = next(messages)
        if message["type"].endswith("shutdown"):
            await stop.wait()
        return message

    async def send(_message: Any) -> None:
        started.set()

    life = asyncio.create_task(hub({"type": "lifespan"}, receive, send))
    await started.wait()
    try:
        yield
    finally:
        stop.set()
        await life


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]
