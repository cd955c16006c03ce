"""ASGI application of the hub: `GET /push` is a stream of server-sent events for the session that asks.

An event says that the pages of this session have changed, and has the versions as its id; a browser repeats the last id
when it connects again, so nothing is missed. With `topic` it is a stream of that public topic, for anyone.
Protocol: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog
from flask import Flask

from panel.db import db
from panel.hub.commits import Commits, commits_of
from panel.hub.streams import Stream, Streams, TooManyStreams
from panel.hub.watched_sessions import WatchedSessions
from panel.hub.watched_topics import WatchedTopics
from panel.middleware.session_lookup import SessionLookup
from panel.security import network_of, push_address, push_topics
from panel.settings import Settings

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Sessions are checked soon after something was committed, such as a log-out, and now and then for those that expire.
PROOF_SECONDS_AFTER_COMMIT = 1.0
PROOF_SECONDS = 30.0
BEAT_SECONDS = 1.0
# How long browsers wait before they connect again, spread so that not all come together.
RETRY_MILLISECONDS = (500, 5_000)
# After a look the next one waits for this multiple of its CPU time, so that looks take at most a quarter of a core, and
# at least as long as it took. A multiple of that would make a look that had to wait for a core delay events for long.
REST = 3


class Hub:
    """The ASGI application."""

    def __init__(self, app: Flask) -> None:
        settings: Settings = app.config["PANEL"]
        self._lookup = SessionLookup(app)
        self._origin = settings.public_url
        self._key = str(app.secret_key)
        self._trusted_proxies = settings.trusted_proxies
        with app.app_context():
            self._commits: Commits = commits_of(db.engine)
        self.streams = Streams(WatchedSessions(app), WatchedTopics(app))
        self._has_committed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        tasks = [
            asyncio.create_task(self._watch_commits()),
            asyncio.create_task(self._prove()),
            asyncio.create_task(self._beat()),
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._commits.close()
        for stream in self.streams:
            stream.end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch_commits(self) -> None:
        while True:
            await self.streams.wait_for_some()
            await self._commits.next()
            self._has_committed = True
            began, worked = time.perf_counter(), time.thread_time()
            with _logged():
                self.streams.update()
            took, worked = time.perf_counter() - began, time.thread_time() - worked
            await asyncio.sleep(max(took, worked * REST))

    async def _prove(self) -> None:
        while True:
            await self.streams.wait_for_some()
            self._has_committed = False
            with _logged():
                await self.streams.end_logged_out()
            again_at = time.monotonic() + PROOF_SECONDS
            await asyncio.sleep(PROOF_SECONDS_AFTER_COMMIT)
            while not self._has_committed and time.monotonic() < again_at:
                await asyncio.sleep(PROOF_SECONDS_AFTER_COMMIT)

    async def _beat(self) -> None:
        while True:
            await self.streams.wait_for_some()
            await asyncio.sleep(BEAT_SECONDS)
            self.streams.beat()

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin")
        if scope["path"] == "/healthz":
            return await _respond(send, HTTPStatus.OK)
        if scope["path"] != push_address.PATH:
            return await _respond(send, HTTPStatus.NOT_FOUND)
        if scope["method"] != "GET":
            return await _respond(send, HTTPStatus.METHOD_NOT_ALLOWED, ("allow", "GET"))
        is_foreign = origin not in (None, self._origin) or headers.get("sec-fetch-site") == "cross-site"
        if is_foreign and urlsplit(origin or "").netloc != headers.get("host"):
            return await _respond(send, HTTPStatus.FORBIDDEN)
        try:
            stream = self._open(scope, headers)
        except TooManyStreams:
            # The answer after which browsers don't connect again by themselves: the page polls.
            return await _respond(send, HTTPStatus.NO_CONTENT, *self._allowed(origin))
        if stream is None:
            return await _respond(send, HTTPStatus.UNAUTHORIZED, *self._allowed(origin))
        try:
            await _start(send, *self._allowed(origin))
            await _serve(stream, receive, send)
        finally:
            self.streams.close(stream)

    def _open(self, scope: Scope, headers: Mapping[str, str]) -> Stream | None:
        """The stream that is asked for; None if it isn't this browser's to have. Raises TooManyStreams."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        known = headers.get("last-event-id", query.get(push_address.SEEN, [""])[0])
        if push_address.TOPIC in query:
            topic = push_topics.verified(query[push_address.TOPIC][0], key=self._key)
            network = self._network(scope, headers)
            return None if topic is None else self.streams.open_topic(topic, network=network, known=known)
        token_hash = self._lookup.token_hash_of({"HTTP_COOKIE": headers.get("cookie", "")})
        return None if token_hash is None else self.streams.open(token_hash, known=known)

    def _network(self, scope: Scope, headers: Mapping[str, str]) -> str:
        """The network that asks, as the trusted proxies say it."""
        address, _port = scope.get("client") or ("", 0)
        passed_on = [each.strip() for each in headers.get("x-forwarded-for", "").split(",")]
        if self._trusted_proxies and len(passed_on) >= self._trusted_proxies:
            address = passed_on[-self._trusted_proxies]
        return network_of(address)

    def _allowed(self, origin: str | None) -> tuple[tuple[str, str], ...]:
        """The headers that let the site's pages read answers of this port (CORS)."""
        if origin is None:
            return ()
        return (
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        )


@contextlib.contextmanager
def _logged() -> Iterator[None]:
    try:
        yield
    except Exception:
        # Pages still poll every thirty seconds; a hub that no longer looked would keep them waiting for that.
        log.exception("hub_could_not_read")


async def _respond(send: Send, status: HTTPStatus, *headers: tuple[str, str]) -> None:
    await _head(send, status, *headers, ("content-length", "0"))
    await send({"type": "http.response.body", "body": b""})


async def _start(send: Send, *headers: tuple[str, str]) -> None:
    # nginx would otherwise keep events back until its buffer is full.
    await _head(send, HTTPStatus.OK, *headers, ("content-type", "text/event-stream"), ("x-accel-buffering", "no"))
    await _write(send, f"retry: {random.randint(*RETRY_MILLISECONDS)}\n\n")  # noqa: S311


async def _head(send: Send, status: HTTPStatus, *headers: tuple[str, str]) -> None:
    sent = (*headers, ("cache-control", "no-store"), ("x-content-type-options", "nosniff"))
    pairs = [(name.encode(), value.encode()) for name, value in sent]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _serve(stream: Stream, receive: Receive, send: Send) -> None:
    """Send this stream's events until its session ends or its browser is gone."""
    gone = asyncio.ensure_future(_gone(stream, receive))
    try:
        while not (stream.has_ended or gone.done()):
            await _serve_next(stream, send)
        if not gone.done():
            await _write(send, "event: ended\ndata: ended\n\n")
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _serve_next(stream: Stream, send: Send) -> None:
    if stream.is_due:
        stream.is_due, stream.known = False, stream.versions
        await _write(send, f"event: changed\nid: {stream.known}\ndata: {stream.known}\n\n")
        await asyncio.sleep(stream.rest_seconds)
        return
    if stream.is_heartbeat_due:
        stream.is_heartbeat_due = False
        await _write(send, ":\n\n")
        return
    stream.wake.clear()
    await stream.wake.wait()


async def _gone(stream: Stream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.wake.set()
