"""First calls of a process: threads that call a provider at the same time share one event loop and its connections."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from panel.providers import http
from tests.support.slow_provider import slow_provider

THREADS = 4


def test_first_calls_of_many_threads_share_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    made, real = list[int](), asyncio.new_event_loop

    def slowly() -> asyncio.AbstractEventLoop:
        made.append(1)
        time.sleep(0.1)
        return real()

    http._loop.cache_clear()
    http._transport.cache_clear()
    with slow_provider(0.0) as provider, ThreadPoolExecutor(THREADS) as pool:
        # Afterwards, because the provider has a loop of its own.
        monkeypatch.setattr(asyncio, "new_event_loop", slowly)
        calls = [pool.submit(_ask, provider.url) for _ in range(THREADS)]
        answers = [call.result(30) for call in calls]

    assert len(made) == 1
    assert all(answers)


def _ask(url: str) -> object:
    return http.post(url, {"action": "status", "orders": "1"}, timeout_seconds=20, may_repeat=True)
