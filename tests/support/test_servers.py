"""Servers of tests are stopped when the test process ends, in whatever way."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.rules.source import ROOT
from tests.support import private_servers
from tests.support.waiting import until

HOLD = (
    "from tests.support.private_servers import postgresql_server as s; "
    "s = s(); print(s.__enter__(), flush=True); input()"
)
GONE_SECONDS = 20


def test_throw_away_server_ends_with_tests_that_are_killed(postgresql_server: str) -> None:
    tests = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with tests:
        assert tests.stdout is not None
        port = make_url(tests.stdout.readline().strip()).port
        assert port and _answers(port)
        assert str(port) not in postgresql_server

        tests.kill()

    assert until(lambda: not _answers(port) and not _folders(port), seconds=GONE_SECONDS)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _folders(port: int) -> list[Path]:
    places = (Path(tempfile.gettempdir()), private_servers.IN_MEMORY)
    return [folder for place in places for folder in place.glob(f"panel-postgresql-{port}-*")]
