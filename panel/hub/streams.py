"""Streams: the open connections of the hub, each with the session it belongs to and what its page knows."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from panel.hub.watched_sessions import Owner, WatchedSessions

MAX_STREAMS = 20_000
# One fewer than a browser's connections to one host (HTTP/1.1), so that pages still load.
MAX_STREAMS_A_SESSION = 5


class TooManyStreams(Exception):
    """The session, or the whole hub, has as many streams as it may."""


@dataclass(slots=True, eq=False)
class Stream:
    """An open stream. `known` are the versions that its page was sent last; `wake` is set when there is work."""

    token_hash: str
    owner: Owner
    known: str
    versions: str = ""
    has_ended: bool = False
    is_due: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, versions: str) -> None:
        self.versions = versions
        # Office pages show everyone's data, so for an operator every commit may matter.
        if self.owner.is_staff or versions != self.known:
            self.is_due = True
            self.wake.set()

    def end(self) -> None:
        self.has_ended = True
        self.wake.set()


class Streams:
    """All open streams, and the reads that bring them up to date."""

    def __init__(self, sessions: WatchedSessions) -> None:
        self._sessions = sessions
        self._open: set[Stream] = set()
        self._by_session: Counter[str] = Counter()
        self._has_some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._open))

    def open(self, token_hash: str, *, known: str) -> Stream | None:
        """A new stream of this session; None if the session has ended. Raises TooManyStreams."""
        if len(self._open) >= MAX_STREAMS or self._by_session[token_hash] >= MAX_STREAMS_A_SESSION:
            raise TooManyStreams
        owners = self._sessions.owners([token_hash])
        if not owners:
            return None
        stream = Stream(token_hash, owners[token_hash], known)
        self._open.add(stream)
        self._by_session[token_hash] += 1
        self._has_some.set()
        for versions in (self._sessions.versions([stream.owner.user_id]) or {}).values():
            stream.versions = versions
            if versions != known:
                stream.update(versions)
        return stream

    def close(self, stream: Stream) -> None:
        self._open.discard(stream)
        self._by_session[stream.token_hash] -= 1
        if not self._by_session[stream.token_hash]:
            del self._by_session[stream.token_hash]
        if not self._open:
            self._has_some.clear()

    async def wait_for_some(self) -> None:
        """Return when at least one stream is open: without one there is nothing to look for."""
        await self._has_some.wait()

    def update(self) -> None:
        """Wake the streams whose pages have changed."""
        versions = self._sessions.versions({stream.owner.user_id for stream in self._open})
        if versions is not None:
            for stream in self._open:
                stream.update(versions[stream.owner.user_id])

    def end_logged_out(self) -> None:
        """End the streams whose sessions are no longer logged in."""
        owners = self._sessions.owners(self._by_session)
        if owners is not None:
            for stream in self._open:
                if owners.get(stream.token_hash) != stream.owner:
                    stream.end()
