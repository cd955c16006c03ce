"""Stub of an upstream panel: `python -m tests.bench.status_stub PORT`. Every order is In progress."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs


class _StatusHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        report = {"charge": "0.27", "start_count": "10", "status": "In progress", "remains": "500", "currency": "USD"}
        body = json.dumps(dict.fromkeys(fields["orders"][0].split(","), report)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _StatusHandler).serve_forever()
