"""CPU time of one request of each kind, inside the process.

It is steady where requests a second scatter with the machine's load. `python -m tests.bench request-cpu` prints
microseconds, medians of short batches. To compare two checkouts, run it in each of them in turn, each with a TMPDIR of
its own, for the panel that it fills once.
"""

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import Context
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from sqlalchemy import select
from werkzeug.test import EnvironBuilder

from panel.application import create_app
from panel.db import db
from panel.models import User
from tests.bench.api import NO_LIMIT, ORDERS, new_key
from tests.support import databases
from tests.support.session_cookies import session_cookie

ROUNDS = 5
PUBLIC = ("/", "/tools", "/order-statuses", "/order-statuses/partial", "/faq", "/api", "/platform-status")
LOGGED_IN = ("/orders", "/orders/live", "/orders/tools?q=vis", "/orders/mass", "/orders/new", "/balance")
# Requests of a batch: of those that a cache answers, and of those that are rendered.
CACHED, RENDERED = 800, 60

Case = tuple[Callable[[], object], int]


def main() -> None:
    instance = Path(tempfile.mkdtemp())
    key = new_key(instance)
    app = create_app(databases.settings_for(instance, api_requests_a_minute=int(NO_LIMIT)))
    with app.app_context():
        cookie = session_cookie(app, db.session.scalars(select(User)).one())
    cases = _public(app) | _logged_in(app, cookie) | _api(app, key)
    measured: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, (request, count) in cases.items():
            began = time.process_time()
            for _ in range(count):
                request()
            measured[name].append((time.process_time() - began) / count * 1e6)
    for name, microseconds in measured.items():
        print(f"{name:<30} {statistics.median(microseconds):>9.1f} µs")


def _public(app: Flask) -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for path in PUBLIC:
        tag = sender(app, path)()["ETag"]
        cases[path] = (sender(app, path), CACHED)
        cases[f"{path}, 304"] = (sender(app, path, If_None_Match=tag), CACHED)
    return cases


def _logged_in(app: Flask, cookie: str) -> dict[str, Case]:
    return {
        path: (sender(app, path, Cookie=f"session={cookie}"), CACHED if path == "/orders" else RENDERED)
        for path in LOGGED_IN
    }


def _api(app: Flask, key: str) -> dict[str, Case]:
    def call(**fields: str) -> Callable[[], object]:
        return sender(app, "/api/v2", body=urlencode({"key": key, **fields}).encode())

    chosen, hundred = random.Random(1), ",".join(map(str, range(1, 101)))
    # More lists of orders than are measured in a row, so that no answer is in a cache.
    others = itertools.cycle(
        [
            call(action="status", orders=",".join(map(str, chosen.sample(range(1, ORDERS + 1), 60))))
            for _ in range(CACHED * ROUNDS)
        ]
    )
    # The first call notes the key's use, and the ones after it are answered before Flask.
    call(action="balance")()
    return {
        "status of 100, cached": (call(action="status", orders=hundred), CACHED),
        "status of 60 others": (_next_of(others), CACHED),
        "status of one": (call(action="status", order="7"), CACHED),
        "balance": (call(action="balance"), CACHED),
        "services": (call(action="services"), CACHED),
    }


def _next_of(requests: Iterator[Callable[[], object]]) -> Callable[[], object]:
    def send() -> object:
        return next(requests)()

    return send


def sender(app: Flask, path: str, *, body: bytes = b"", **headers: str) -> Callable[[], dict[str, str]]:
    """What sends this request and returns the answer's headers; it raises AssertionError for an error."""
    given = EnvironBuilder(
        path,
        method="POST" if body else "GET",
        data=body,
        content_type="application/x-www-form-urlencoded" if body else None,
        headers={"Accept-Encoding": "br"} | {name.replace("_", "-"): text for name, text in headers.items()},
    ).get_environ()
    got: list[Any] = []

    def send() -> dict[str, str]:
        got.clear()
        # A request changes its environ, so each gets a copy.
        environ = given | {"wsgi.input": BytesIO(body)}
        # As on a server, outside the app's context: inside, Flask would keep the person of the request before.
        chunks = Context().run(app.wsgi_app, environ, lambda status, found, _error=None: got.extend((status, found)))  # type: ignore[arg-type,return-value]
        answer = b"".join(chunks)
        assert got[0].startswith(("200", "304")), (path, got[0])
        assert not body or b'"error"' not in answer, answer[:100]
        return dict(got[1])

    return send
