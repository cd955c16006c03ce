"""Fake webhook endpoint of a reseller, on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flask import Flask


class WebhookListener(ThreadingHTTPServer):
    """Records each webhook and responds with `status` after `pause_seconds`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _WebhookHandler)
        self.status = 200
        self.pause_seconds = 0.0
        self.came: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/webhooks"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.came]


class _WebhookHandler(BaseHTTPRequestHandler):
    server: WebhookListener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((dict(self.headers), body))
        time.sleep(self.server.pause_seconds)
        try:
            self.send_response(self.server.status)
            self.end_headers()
        except OSError:
            return

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def listening(app: Flask) -> Iterator[WebhookListener]:
    """A listening endpoint whose private address is allowed."""
    server = WebhookListener()
    settings = app.config["PANEL"]
    settings.egress_test_hosts = f"{settings.egress_test_hosts} 127.0.0.1:{server.server_port}".strip()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
