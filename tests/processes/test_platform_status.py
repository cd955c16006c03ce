"""Worker outage: `/readyz` and the status page report it, and it stays in the bars afterwards."""

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from panel.services.health import BEAT_SECONDS
from tests.processes.beside import another_worker
from tests.support.servers import Panel, running_panel
from tests.support.waiting import until

# Extra time for the heartbeat that was due when the worker died, and for a busy machine.
GRACE_SECONDS = 3.0


def test_killed_worker_is_reported_and_its_outage_is_in_the_bars(tmp_path: Path) -> None:
    settings = {"PANEL_WORKER": "false", "PANEL_PROBE_SECONDS": "2", "PANEL_CANARY_SECONDS": "5"}
    with running_panel(tmp_path, **settings) as panel:
        with another_worker(panel) as worker:
            assert until(lambda: status(panel)["state"] == "operational")
            assert readiness(panel) == (200, "ready\n")

            os.kill(worker.pid, signal.SIGKILL)

            assert until(
                lambda: readiness(panel) == (503, "not ready: worker\n"), seconds=3 * BEAT_SECONDS + GRACE_SECONDS
            )
        report = status(panel)
        assert (report["state"], report["sentence"][:21]) == ("major", "No measurement since ")
        assert component(report, "dispatch")["state"] == "major"
        assert component(report, "site")["state"] == "unknown"
        assert component(report, "dispatch")["days"][-1]["seconds"]["major"] >= 10
        with another_worker(panel):
            assert until(lambda: status(panel)["state"] == "operational")
            back = status(panel)
        assert component(back, "dispatch")["days"][-1]["seconds"]["major"] >= 10
        assert component(back, "site")["days"][-1]["seconds"]["unknown"] >= 10
        assert "major" not in component(back, "site")["days"][-1]["seconds"]
        assert json.loads(panel.flask("audit", "--json").stdout) == {
            "sound": True,
            "orders": 0,
            "transfers": 0,
            "differences": [],
            "chains_from_start": False,
            "digests": [],
        }


def status(panel: Panel) -> dict[str, Any]:
    with urllib.request.urlopen(f"{panel.url}/platform-status.json", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def component(report: dict[str, Any], key: str) -> dict[str, Any]:
    return next(each for each in report["components"] if each["key"] == key)


def readiness(panel: Panel) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{panel.url}/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
