"""Streams: the open connections of the hub, each with the session it belongs to and what it was last told."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from panel.hub.watched_sessions import SessionState, WatchedSessions

MAX_STREAMS = 20_000
# One fewer than a browser's connections to one host (HTTP/1.1), so that pages still load.
MAX_STREAMS_A_SESSION = 5


class TooManyStreams(Exception):
    """The session, or the whole hub, has as many streams as it may."""


@dataclass(slots=True, eq=False)
class Stream:
    """An open stream. `told` are the versions that its page knows; `wake` is set when there is something to do."""

    token_hash: str
    told: str
    versions: str = ""
    is_operator: bool = False
    has_ended: bool = False
    is_due: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, state: SessionState | None) -> None:
        """What the database says now of the session; None: it has ended."""
        if state is None:
            self.has_ended = True
        else:
            self.versions, self.is_operator = state.versions, state.is_operator
            # Office pages show everybody's data, so for an operator every commit may matter.
            self.is_due = self.is_due or state.is_operator or state.versions != self.told
        if self.has_ended or self.is_due:
            self.wake.set()


class Streams:
    """All open streams, and the one query that brings them up to date."""

    def __init__(self, sessions: WatchedSessions) -> None:
        self._sessions = sessions
        self._open: set[Stream] = set()
        self._by_session: Counter[str] = Counter()
        self._has_some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Stream]:
        return iter(tuple(self._open))

    def open(self, token_hash: str, *, told: str) -> Stream | None:
        """A new stream of this session; None if the session has ended. Raises TooManyStreams."""
        if len(self._open) >= MAX_STREAMS or self._by_session[token_hash] >= MAX_STREAMS_A_SESSION:
            raise TooManyStreams
        states = self._sessions.states([token_hash])
        if not states:
            return None
        stream = Stream(token_hash, told)
        self._open.add(stream)
        self._by_session[token_hash] += 1
        stream.take(states[token_hash])
        self._has_some.set()
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
        """Read the states of all sessions and wake the streams whose page has to do something."""
        states = self._sessions.states(self._by_session)
        if states is None:
            return
        for stream in self:
            stream.take(states.get(stream.token_hash))
