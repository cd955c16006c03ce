"""Fake provider API that takes its time, with kept connections: it counts `add` calls by link, and concurrent calls.

In a test: `with slow_provider(0.3) as provider`. As a process: `python -m tests.support.slow_provider PORT SECONDS`.
"""

import asyncio
import contextlib
import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs

REPORT = {"charge": "0.27", "start_count": "10", "status": "In progress", "remains": "500", "currency": "USD"}
LOOK_AGAIN_SECONDS = 0.005
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "

Fields = dict[str, str]


@dataclass
class SlowProvider:
    """The server. `answer_add` may give other answers than a new order; None closes the connection without one."""

    delay_seconds: float
    url: str = ""
    # By action: each call waits until this many have been running at the same time.
    together: Counter[str] = field(default_factory=Counter)
    answer_add: Callable[[Fields], object] | None = None
    # How many calls of each action have come, run now, and ran at most at the same time.
    calls: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    peaks: Counter[str] = field(default_factory=Counter)
    # The links of all `add` calls in the order they came.
    links: list[str] = field(default_factory=list)
    connections: int = 0
    # The number of the last order; other orders of a benchmark have small numbers.
    orders: int = 10_000_000

    @property
    def most_adds_of_a_link(self) -> int:
        return max(Counter(self.links).values(), default=0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the calls of one connection until its client closes it."""
        self.connections += 1
        try:
            while (body := await self._answer(await _read(reader))) is not None:
                writer.write(f"{HEAD}{len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, fields: Fields) -> bytes | None:
        action = fields["action"]
        self.calls[action] += 1
        self.running[action] += 1
        self.peaks[action] = max(self.peaks[action], self.running[action])
        if action == "add":
            self.links.append(fields["link"])
        try:
            while self.peaks[action] < self.together[action]:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await asyncio.sleep(self.delay_seconds)
        finally:
            self.running[action] -= 1
        answer = self._say(action, fields)
        return None if answer is None else json.dumps(answer).encode()

    def _say(self, action: str, fields: Fields) -> object:
        match action:
            case "add" if self.answer_add is not None:
                return self.answer_add(fields)
            case "add":
                self.orders += 1
                return {"order": self.orders}
            case "status":
                return dict.fromkeys(fields["orders"].split(","), REPORT)
            case _:
                return {"balance": "100.00", "currency": "USD"}


async def _read(reader: asyncio.StreamReader) -> Fields:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    return {name: values[0] for name, values in parse_qs((await reader.readexactly(length)).decode()).items()}


@contextlib.contextmanager
def slow_provider(delay_seconds: float) -> Iterator[SlowProvider]:
    """The server, in a thread of its own; gone afterwards."""
    provider = SlowProvider(delay_seconds)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(provider.serve, "127.0.0.1", 0))
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v2"
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    # Connections accepted just now get their tasks first: one cancelled before it began would never close its own.
    await asyncio.sleep(LOOK_AGAIN_SECONDS)
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    # The event loop closes what was cancelled in its next rounds.
    await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _run(port: int, delay_seconds: float) -> None:
    server = await asyncio.start_server(SlowProvider(delay_seconds).serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), float(sys.argv[2])))
