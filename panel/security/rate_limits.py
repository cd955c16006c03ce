"""Rate limit storage: in memory, or in Redis for several machines with memory as its fallback."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from limits.storage import RedisStorage, Storage

FORGET_SECONDS = 10.0
# Every request counts here, so a hanging Redis gets a short timeout and is then skipped for a while.
ANSWER_SECONDS = 0.25
AWAY_SECONDS = 5.0
MEMORY, SHARED = "process-memory", "fallback-"

Answer = TypeVar("Answer")

log = structlog.get_logger("panel.limits")


@dataclass(frozen=True, slots=True)
class RateLimitUse:
    """Use of a rate limit: requests a minute, those that are left, and when the minute ends in Unix time."""

    limit: int
    remaining: int
    ends_at: float
    is_over: bool

    @property
    def seconds_left(self) -> int:
        return max(1, math.ceil(self.ends_at - time.time()))

    @property
    def headers(self) -> dict[str, str]:
        """The headers that many APIs use for this, GitHub's among them."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(math.ceil(self.ends_at)),
        }


def storage_url(limits_url: str) -> str:
    """Storage URL of our own storage classes, for the one in `PANEL_LIMITS_URL`."""
    return f"{MEMORY}://" if limits_url == "memory://" else f"{SHARED}{limits_url}"


class ProcessMemoryStorage(Storage):
    """Fixed-window counters in the memory of this process. Expired ones are removed by the requests that count.

    The library's own storage starts a thread for that, and each start makes a request wait.
    """

    STORAGE_SCHEME = [MEMORY]

    def __init__(self, uri: str = f"{MEMORY}://", wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        # The count and the end of the window of each key.
        self.windows: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._remove_expired_at = 0.0

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.time()
        with self._lock:
            self._remove_expired(now)
            count, ends_at = self.windows.get(key, (0, 0.0))
            if ends_at <= now:
                count, ends_at = 0, now + expiry
            self.windows[key] = (count + amount, ends_at)
        return count + amount

    def get(self, key: str) -> int:
        count, ends_at = self.windows.get(key, (0, 0.0))
        return count if ends_at > time.time() else 0

    def get_expiry(self, key: str) -> float:
        now = time.time()
        return max(now, self.windows.get(key, (0, now))[1])

    def check(self) -> bool:
        return True

    def reset(self) -> int | None:
        with self._lock:
            count = len(self.windows)
            self.windows.clear()
        return count

    def clear(self, key: str) -> None:
        with self._lock:
            self.windows.pop(key, None)

    def _remove_expired(self, now: float) -> None:
        # The wall clock may have been set back: never wait longer than a full window.
        if self._remove_expired_at - FORGET_SECONDS <= now < self._remove_expired_at:
            return
        self._remove_expired_at = now + FORGET_SECONDS
        for key in [key for key, (_count, ends_at) in self.windows.items() if ends_at <= now]:
            del self.windows[key]


class RedisWithFallbackStorage(Storage):
    """Counts in Redis. While Redis is unavailable each process counts in memory, and one log line says so."""

    STORAGE_SCHEME = [f"{SHARED}redis", f"{SHARED}rediss", f"{SHARED}redis+unix"]

    def __init__(self, uri: str, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        # Six megabytes that most panels don't need.
        from redis import ConnectionPool, RedisError
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._error: type[Exception] = RedisError
        url = uri.removeprefix(SHARED)
        pool = ConnectionPool.from_url(
            url.replace("redis+unix://", "unix://"),
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Storage = RedisStorage(url, connection_pool=pool)
        self._memory: Storage = ProcessMemoryStorage()
        self._lock = threading.Lock()
        self._retry_at = 0.0
        self._is_away = False

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        return self._error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._query(lambda storage: storage.incr(key, expiry, amount))

    def get(self, key: str) -> int:
        return self._query(lambda storage: storage.get(key))

    def get_expiry(self, key: str) -> float:
        return self._query(lambda storage: storage.get_expiry(key))

    def check(self) -> bool:
        return self._query(lambda storage: storage.check())

    def reset(self) -> int | None:
        return self._query(lambda storage: storage.reset())

    def clear(self, key: str) -> None:
        self._query(lambda storage: storage.clear(key))

    def _query(self, question: Callable[[Storage], Answer]) -> Answer:
        if time.monotonic() >= self._retry_at:
            try:
                answer = question(self._redis)
            except (self._error, OSError) as error:
                self._note(is_away=True, why=str(error))
            else:
                self._note(is_away=False)
                return answer
        return question(self._memory)

    def _note(self, *, is_away: bool, why: str = "") -> None:
        with self._lock:
            has_changed, self._is_away = is_away != self._is_away, is_away
            if is_away:
                self._retry_at = time.monotonic() + AWAY_SECONDS
        if has_changed and is_away:
            log.warning("limits are counted in memory: their store is away", why=why)
        elif has_changed:
            log.info("limits are counted in their store again")
