"""PostgreSQL restart under a running panel: 503 during it, and everything works again within ten seconds."""

import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.processes.test_supervisor import children_of
from tests.support import private_servers, servers
from tests.support.servers import Panel, running_panel
from tests.support.waiting import until

RECOVERS_SECONDS = 10
# Of sweeps, and of the heartbeat, which comes whatever happens.
SIGNS_OF_FAILURE = ('"database unavailable"', '"sweep": "heartbeat"')


def status(panel: Panel, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{panel.url}{path}", timeout=8) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_panel_outlives_a_restart_of_postgresql(tmp_path: Path) -> None:
    try:
        servers.postgresql()
    except servers.NotInstalled as error:
        servers.skip_or_fail(str(error))
    with (
        private_servers.private_postgresql() as server,
        running_panel(tmp_path, DATABASE_URL=server.url, PANEL_PROBE_SECONDS="60") as panel,
    ):
        assert until(lambda: status(panel, "/readyz")[0] == 200)
        assert panel.process is not None
        children = children_of(panel.process.pid)

        server.stop()
        assert until(lambda: status(panel, "/tools")[0] == 503, seconds=5)
        away = [status(panel, path) for path in ("/readyz", "/healthz")]
        for sign in SIGNS_OF_FAILURE:
            assert until(lambda: sign in panel.log), sign  # noqa: B023
        server.start()
        began = time.monotonic()
        assert until(lambda: status(panel, "/readyz")[0] == 200, seconds=RECOVERS_SECONDS)

        assert time.monotonic() - began < RECOVERS_SECONDS
        assert away == [(503, "not ready: database\n"), (200, "ok\n")]
        assert status(panel, "/tools")[0] == 200
        assert children_of(panel.process.pid) == children
        assert "Traceback" not in panel.log
        assert "sweep failed" not in panel.log
