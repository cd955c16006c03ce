"""The worker: two at once share one database, and each has a slot of its own."""

import os
import signal
from pathlib import Path

import pytest

from panel.worker import cron, sweeps, take_slot
from tests import databases
from tests.processes.beside import another_worker
from tests.processes.test_supervisor import all_are_pending, until
from tests.servers import running_panel


def test_slots_are_the_lowest_free_numbers(tmp_path: Path) -> None:
    settings = databases.settings_for(tmp_path)

    first, held = take_slot(settings)
    second, _ = take_slot(settings)
    os.close(held)
    again, _ = take_slot(settings)

    assert (first, second, again) == (1, 2, 1)


def test_every_sweep_can_be_said_as_cron(tmp_path: Path) -> None:
    told = {sweep.name: cron(sweep.seconds) for sweep in sweeps(databases.settings_for(tmp_path))}

    assert told["dispatch"] == "*/1 * * * * *"
    assert told["purge"] == "0 */10 * * * *"


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
