"""Worker: two of them share one database, each with its own slot."""

import contextlib
import json
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from panel.worker import take_slot
from tests.processes.beside import another_worker
from tests.processes.test_supervisor import all_are_pending
from tests.support import databases
from tests.support.servers import a_panel, running_panel
from tests.support.waiting import until


def test_slots_are_the_lowest_free_numbers(tmp_path: Path) -> None:
    settings = databases.settings_for(tmp_path)

    first, held = take_slot(settings)
    second, _ = take_slot(settings)
    os.close(held)
    again, _ = take_slot(settings)

    assert (first, second, again) == (1, 2, 1)


@pytest.mark.both_engines
def test_two_workers_share_one_database(tmp_path: Path, database_url: str) -> None:
    instance = tmp_path / "instance"
    with running_panel(instance, "--demo", PANEL_SYNC_SECONDS="1", DATABASE_URL=database_url) as panel:
        with another_worker(panel) as second:
            assert until(lambda: panel.log.count('"worker started"') == 2)
            assert until(lambda: not all_are_pending(panel))

            second.send_signal(signal.SIGTERM)

            assert second.wait(5) == 0
    assert "sweep failed" not in panel.log
    assert panel.flask("audit").returncode == 0


def test_worker_beside_one_that_froze_inside_a_write_says_why_or_starts(tmp_path: Path) -> None:
    panel = a_panel(tmp_path)
    assert panel.flask("init").returncode == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "panel.db", isolation_level=None)) as frozen:
        frozen.execute("PRAGMA journal_mode=WAL")
        frozen.execute("BEGIN IMMEDIATE")
        with another_worker(panel) as worker:
            assert until(lambda: "worker cannot start yet" in panel.log or "worker started" in panel.log)
            assert worker.poll() is None

            frozen.execute("ROLLBACK")

            assert until(lambda: "worker started" in panel.log)
            assert "Traceback" not in panel.log
            assert "sweep failed" not in panel.log


@pytest.mark.both_engines
def test_stopping_worker_logs_only_its_own_lines(tmp_path: Path, database_url: str) -> None:
    panel = a_panel(tmp_path / "instance", DATABASE_URL=database_url, PANEL_DISPATCH_SECONDS="1")
    assert panel.flask("init").returncode == 0
    for wait_seconds in (0.0, 0.7, 1.4):
        with another_worker(panel) as worker:
            started = panel.log.count('"worker started"')
            assert until(lambda: panel.log.count('"worker started"') > started)  # noqa: B023
            time.sleep(wait_seconds)

            worker.send_signal(signal.SIGTERM)

            assert worker.wait(5) == 0

    events = [json.loads(line)["event"] for line in panel.log.splitlines()]
    assert events == ["worker started", "worker stops"] * 3
