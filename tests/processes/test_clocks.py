"""Clock changes while a worker runs: its sweeps go on within a minute."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from panel.services.health import BEAT_SECONDS
from panel.settings import ROOT
from tests.support import databases, servers
from tests.support.waiting import until


def library() -> str:
    """The library that sets a process's clock; the test is skipped where it is not installed."""
    try:
        return str(servers.faketime())
    except servers.NotInstalled as error:
        servers.skip_or_fail(str(error))


@contextmanager
def worker_with_a_clock(instance: Path, clock: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that reads the offset of its wall clock from the file `clock`; its monotonic clock is the machine's."""
    clock.write_text("+0\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PANEL_")} | {
        "PANEL_INSTANCE": str(instance),
        "LD_PRELOAD": library(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    command = [sys.executable, "-m", "flask", "--app", "app", "worker"]
    with (instance / "worker.log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()


def beats(instance: Path) -> list[datetime]:
    """Latest heartbeat of each worker in the database."""
    connection = sqlite3.connect(instance / "panel.db")
    try:
        rows = connection.execute("SELECT at FROM heartbeats").fetchall()
    finally:
        connection.close()
    return [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in rows]


# Back two hours; forward two minutes and back, so that the engine has already run for the coming seconds; and
# forward 400 days.
@pytest.mark.parametrize("steps", [(-7_200,), (120, 0), (400 * 86_400,)])
def test_sweeps_go_on_within_a_minute_of_a_clock_that_was_set(
    tmp_path: Path, sqlite_template: Path, steps: tuple[int, ...]
) -> None:
    databases.copy_sqlite(sqlite_template, tmp_path)
    clock = tmp_path / "clock"
    with worker_with_a_clock(tmp_path, clock):
        assert until(lambda: beats(tmp_path) != [])
        for seconds in steps:
            clock.write_text(f"{seconds:+d}\n")
            assert until(lambda ahead=seconds: beat_twice(tmp_path, seconds=ahead), seconds=60)
        # The thread that saw the step may log it after another thread's heartbeats.
        assert until(lambda: '"clock_was_set"' in (tmp_path / "worker.log").read_text(), seconds=60)


def beat_twice(instance: Path, *, seconds: int) -> bool:
    """Whether there is a heartbeat with a clock this many seconds ahead, and then another one."""

    def is_seen() -> bool:
        now = datetime.now(UTC) + timedelta(seconds=seconds)
        return all(abs(at - now) < timedelta(seconds=BEAT_SECONDS + 5) for at in beats(instance))

    if not is_seen():
        return False
    seen = beats(instance)
    return until(lambda: beats(instance) != seen and is_seen(), seconds=2 * BEAT_SECONDS)
