"""Processes are killed at random moments while orders move: all come back, and no cent is lost or doubled."""

import os
import random
import signal
import time
from pathlib import Path

from tests.counts import times
from tests.processes.test_supervisor import all_are_pending, descendants, until
from tests.servers import running_panel

KILLS = times(20, long=200)


def test_books_stay_sound_however_often_processes_are_killed(tmp_path: Path) -> None:
    draw = random.Random(20)
    with running_panel(tmp_path, "--demo", PANEL_SYNC_SECONDS="1") as panel:
        for _ in range(KILLS):
            time.sleep(draw.uniform(0.1, 1.5))
            alive = descendants(panel)
            if alive:
                os.kill(draw.choice(alive), signal.SIGKILL)

        panel.wait_until_it_answers()
        panel.wait_until_it_answers(path="/readyz")
        assert until(lambda: not all_are_pending(panel))
        audit = panel.flask("audit")

    assert (audit.returncode, audit.stdout) == (0, "")
    assert "starts again" in panel.log
