"""Development reloader of `python app.py --reload`: an edited file shows on the next request.

The web process builds the application again when a template, stylesheet, script or content file has changed,
which empties every cache with it. When a Python file has changed, the supervisor restarts its children.
"""

import threading
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Flask

from panel.assets import build_id, colors
from panel.db import db
from panel.processes.file_changes import READ_AT_START, snapshot
from panel.services.api import webhook_guide

log = structlog.get_logger("panel.reload")


class ReloadedApp:
    """WSGI application that is rebuilt before a request when a file it was built from has changed."""

    def __init__(self, app: Flask, build: Callable[[], Flask]) -> None:
        self._app, self._build = app, build
        self._files = snapshot(READ_AT_START)
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            files = snapshot(READ_AT_START)
            if files != self._files:
                self._files = files
                self._rebuild()
        return self._app(environ, start_response)

    def _rebuild(self) -> None:
        # These caches are process-wide and outlive the application.
        for cached in (build_id.digest, colors.tokens, webhook_guide.guide):
            cached.cache_clear()
        try:
            fresh = self._build()
        except SystemExit as problem:
            log.error("a content file or stylesheet is wrong: the version before it is shown", why=str(problem))
            return
        with self._app.app_context():
            db.engine.dispose()
        self._app = fresh
