"""The conformance suite for API v2: our own server passes it whole, and one that does something else fails it."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.conformance.__main__ import USAGE
from tests.conformance.checks import CHECKS
from tests.support import warm_python
from tests.support.reseller_panel import new_key, reseller_panel


def report_of(*words: str) -> tuple[int, list[str]]:
    """Exit code and lines of the suite, run as the documentation says."""
    ran = warm_python.run("-m", "tests.conformance", *words, environment=os.environ, seconds=120)
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()


def test_our_own_server_passes_whole_for_a_tool_of_each_rule(tmp_path: Path) -> None:
    with reseller_panel(tmp_path) as panel:
        reports = [report_of(f"{panel.url}/api/v2", new_key(panel), service) for service in ("1", "2", "3")]

    for code, report in reports:
        others = [line for line in report if not line.startswith(("pass  ", "skip  add "))]
        assert others == [f"{len(CHECKS)} checks, 0 failed."]
        assert (code, len(report)) == (0, len(CHECKS) + 1)
    skipped = [{line for line in report if line.startswith("skip  ")} for _code, report in reports]
    assert [len(lines) for lines in skipped] == [2, 1, 4]


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[dict[str, str]], object]], str]]:
    """Start a server with this answer to each call's fields; returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[dict[str, str]], object]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fields = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                body = json.dumps(answer({name: values[0] for name, values in fields.items()})).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def careless(fields: dict[str, str]) -> object:
    """A panel as there are many: it takes any order, for any quantity, and rounds."""
    careless.balance -= 0.01 if fields["action"] == "add" else 0  # type: ignore[attr-defined]
    service = {"service": 1, "name": "Visits", "type": "Default", "category": "Pages", "rate": "0.90", "min": "10"}
    return {
        "services": [service | {"max": "100", "refill": False, "cancel": False}],
        "balance": {"balance": f"{careless.balance:.2f}", "currency": "USD"},  # type: ignore[attr-defined]
        "add": {"order": 7},
        "status": {"charge": "0.01", "start_count": "0", "status": "Active", "remains": "10", "currency": "USD"},
    }.get(fields["action"], {"error": "Incorrect request"})


def test_server_that_takes_any_order_and_rounds_fails(
    serve: Callable[[Callable[[dict[str, str]], object]], str],
) -> None:
    careless.balance = 5.0  # type: ignore[attr-defined]

    code, report = report_of(serve(careless), "key", "1")

    assert code == 1
    failed = {line.removeprefix("FAIL  ").partition(": ")[0]: line for line in report if line.startswith("FAIL")}
    assert set(failed) >= {
        "wrong key",
        "add below the minimum",
        "add above the maximum",
        "add of a fraction",
        "add with a field it does not take",
        "add",
        "status",
    }
    assert "0.01 was charged instead of 0.009" in failed["add"]
    assert "the status is none of" in failed["status"]


def test_server_that_answers_something_else_fails_and_no_order_is_placed(
    serve: Callable[[Callable[[dict[str, str]], object]], str],
) -> None:
    calls: list[str] = []

    def answer(fields: dict[str, str]) -> str:
        calls.append(fields["action"])
        return "OK"

    code, report = report_of(serve(answer), "key", "1")

    assert code == 1
    assert "FAIL  services: no list of services: OK" in report
    assert "skip  status: no order was placed" in report
    assert "add" not in calls


def test_wrong_call_says_how_to_call() -> None:
    assert report_of("https://panel.example/api/v2") == (2, [USAGE])
