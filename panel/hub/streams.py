"""Streams: the open connections of the hub, each with what it listens to and what its page knows.

A logged-in page listens with its session. A visitor's page listens to a public topic; those streams have limits of
their own, so that visitors can take neither the whole hub nor, from one network, all that visitors may have.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from panel.hub.known_versions import KnownVersions
from panel.hub.watched_sessions import Owner, WatchedSessions
from panel.hub.watched_topics import WatchedTopics
from panel.services.accounts.sessions import PageVersions

MAX_STREAMS = 20_000
# One fewer than a browser's connections to one host (HTTP/1.1), so that pages still load.
MAX_STREAMS_A_SESSION = 5
MAX_TOPIC_STREAMS = 5_000
# Several people may share an address, and hidden tabs have no stream.
MAX_TOPIC_STREAMS_A_NETWORK = 20
# Pages that everyone may open, and the office's, hear of changes at most once in this time.
REST_SECONDS = 1.0
# Comments keep proxies, which end connections that are quiet for a minute, from ending a stream. An equal part of the
# streams sends one each second: together they wake the process less often than with a timer for each.
HEARTBEAT_SECONDS = 45
# Sessions that are checked in one read, and the pause after it: 20,000 take less than a second.
SESSIONS_A_READ = 200
PART_PAUSE_SECONDS = 0.002


class TooManyStreams(Exception):
    """The session, the network, or the whole hub, has as many streams as it may."""


@dataclass(slots=True, eq=False, kw_only=True)
class Stream:
    """An open stream. `known` are the versions that its page was sent last; `wake` is set when there is work."""

    known: str
    versions: str = ""
    has_ended: bool = False
    is_due: bool = False
    is_heartbeat_due: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rest_seconds(self) -> float:
        """How long to wait after an event before the next one."""
        return REST_SECONDS

    def update(self, versions: str) -> None:
        self.versions = versions
        if versions != self.known:
            self._announce()

    def _announce(self) -> None:
        self.is_due = True
        self.wake.set()

    def beat(self) -> None:
        self.is_heartbeat_due = True
        self.wake.set()

    def end(self) -> None:
        self.has_ended = True
        self.wake.set()


@dataclass(slots=True, eq=False, kw_only=True)
class SessionStream(Stream):
    """A stream of a session."""

    token_hash: str
    owner: Owner

    @property
    def rest_seconds(self) -> float:
        return REST_SECONDS if self.owner.is_staff else 0.0

    def update(self, versions: str) -> None:
        self.versions = versions
        # Office pages show everyone's data, so for an operator every commit may matter.
        if self.owner.is_staff or versions != self.known:
            self._announce()


@dataclass(slots=True, eq=False, kw_only=True)
class TopicStream(Stream):
    """A stream of a public topic, opened from this network."""

    topic: str
    network: str


class Streams:
    """All open streams, and the reads that bring them up to date."""

    def __init__(self, sessions: WatchedSessions, topics: WatchedTopics) -> None:
        self._sessions, self._topics = sessions, topics
        self._of_sessions: set[SessionStream] = set()
        self._of_topics: set[TopicStream] = set()
        self._by_user: defaultdict[int, set[SessionStream]] = defaultdict(set)
        # Operators, whose pages every commit may matter to.
        self._staff: set[int] = set()
        self._by_session: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self._by_topic: Counter[str] = Counter()
        # As of the last update, for topics that have streams.
        self._topic_versions: dict[str, str] = {}
        self._state_versions = KnownVersions(sessions.changed)
        self._catalogue_version: int | None = None
        self._has_some = asyncio.Event()
        # By the second in which they send a heartbeat.
        self._by_second: list[set[Stream]] = [set() for _ in range(HEARTBEAT_SECONDS)]
        self._second = 0

    def __len__(self) -> int:
        return len(self._of_sessions) + len(self._of_topics)

    def __iter__(self) -> Iterator[Stream]:
        return iter((*self._of_sessions, *self._of_topics))

    def open(self, token_hash: str, *, known: str) -> SessionStream | None:
        """A new stream of this session; None if the session has ended. Raises TooManyStreams."""
        if len(self) >= MAX_STREAMS or self._by_session[token_hash] >= MAX_STREAMS_A_SESSION:
            raise TooManyStreams
        owners = self._sessions.owners([token_hash])
        if not owners:
            return None
        stream = SessionStream(token_hash=token_hash, owner=owners[token_hash], known=known)
        user_id = stream.owner.user_id
        versions = self._sessions.versions(user_id)
        self._state_versions.add(user_id, None if versions is None else versions.state_version)
        self._of_sessions.add(stream)
        self._by_user[user_id].add(stream)
        if stream.owner.is_staff:
            self._staff.add(user_id)
        self._by_session[token_hash] += 1
        self._add(stream)
        if versions is not None:
            stream.versions = versions.as_text
            if stream.versions != known:
                stream.update(stream.versions)
        return stream

    def open_topic(self, topic: str, *, network: str, known: str) -> TopicStream | None:
        """A new stream of this topic; None if there is nothing to listen to. Raises TooManyStreams.

        Reads the database for the first stream of a topic alone, so opening and closing many costs little.
        """
        is_full = len(self) >= MAX_STREAMS or len(self._of_topics) >= MAX_TOPIC_STREAMS
        if is_full or self._by_network[network] >= MAX_TOPIC_STREAMS_A_NETWORK:
            raise TooManyStreams
        if topic not in self._topic_versions:
            self._topic_versions |= self._topics.versions([topic]) or {}
        if topic not in self._topic_versions:
            return None
        stream = TopicStream(topic=topic, network=network, known=known)
        self._of_topics.add(stream)
        self._by_network[network] += 1
        self._by_topic[topic] += 1
        self._add(stream)
        stream.update(self._topic_versions[topic])
        return stream

    def _add(self, stream: Stream) -> None:
        min(self._by_second, key=len).add(stream)
        self._has_some.set()

    def close(self, stream: Stream) -> None:
        if isinstance(stream, SessionStream):
            self._of_sessions.discard(stream)
            _subtract(self._by_session, stream.token_hash)
            self._by_user[stream.owner.user_id].discard(stream)
            if not self._by_user[stream.owner.user_id]:
                del self._by_user[stream.owner.user_id]
                self._state_versions.remove(stream.owner.user_id)
                self._staff.discard(stream.owner.user_id)
        elif isinstance(stream, TopicStream):
            self._of_topics.discard(stream)
            _subtract(self._by_network, stream.network)
            if _subtract(self._by_topic, stream.topic) == 0:
                self._topic_versions.pop(stream.topic, None)
        for streams in self._by_second:
            streams.discard(stream)
        if not len(self):
            self._has_some.clear()

    async def wait_for_some(self) -> None:
        """Return when at least one stream is open: without one there is nothing to look for."""
        await self._has_some.wait()

    def beat(self) -> None:
        """Have the streams whose second this is send a heartbeat."""
        self._second = (self._second + 1) % HEARTBEAT_SECONDS
        for stream in self._by_second[self._second]:
            stream.beat()

    def update(self) -> None:
        """Wake the streams whose pages have changed, and end those whose topic is gone."""
        if self._of_sessions:
            self._update_sessions()
        if self._of_topics:
            self._update_topics()

    def _update_sessions(self) -> None:
        catalogue, changed = self._sessions.catalogue_version(), self._state_versions.look()
        if catalogue is None or changed is None:
            return
        is_for_all, self._catalogue_version = catalogue != self._catalogue_version, catalogue
        for user_id in self._by_user if is_for_all else changed | self._staff:
            text = PageVersions(user_id, self._state_versions[user_id], catalogue).as_text
            for stream in self._by_user[user_id]:
                stream.update(text)

    def _update_topics(self) -> None:
        versions = self._topics.versions(self._by_topic)
        if versions is None:
            return
        self._topic_versions = versions
        for stream in self._of_topics:
            if stream.topic in versions:
                stream.update(versions[stream.topic])
            else:
                stream.end()

    async def end_logged_out(self) -> None:
        """End the streams whose sessions are no longer logged in. By parts, between which events are sent."""
        streams = list(self._of_sessions)
        for first in range(0, len(streams), SESSIONS_A_READ):
            part = streams[first : first + SESSIONS_A_READ]
            owners = self._sessions.owners({stream.token_hash for stream in part})
            if owners is not None:
                for stream in part:
                    if owners.get(stream.token_hash) != stream.owner:
                        stream.end()
            await asyncio.sleep(PART_PAUSE_SECONDS)


def _subtract(counts: Counter[str], key: str) -> int:
    """Count one less, and keep no zeros: there is no end of possible keys."""
    counts[key] -= 1
    left = counts[key]
    if not left:
        del counts[key]
    return left
