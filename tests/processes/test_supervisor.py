"""`python app.py` with new interpreters: children that die are restarted, and none outlives the supervisor."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from panel.settings import ROOT
from tests.support.servers import Panel, a_panel, running_panel
from tests.support.waiting import until


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Panel]:
    with running_panel(tmp_path_factory.mktemp("panel"), is_cold=True, PANEL_WEB_WORKERS="2") as started:
        started.wait_until_it_answers(path="/readyz")
        yield started


def test_killed_worker_starts_again(panel: Panel) -> None:
    killed = child_of(panel, "panel-worker")

    os.kill(killed, signal.SIGKILL)

    assert until(lambda: find_child(panel, "panel-worker") not in (None, killed))


def test_killed_web_server_starts_again(panel: Panel) -> None:
    killed = child_of(panel, "panel-web")
    its_workers = children_of(killed)

    os.kill(killed, signal.SIGKILL)

    assert until(lambda: find_child(panel, "panel-web") not in (None, killed))
    assert until(lambda: not any(is_alive(pid) for pid in its_workers))
    panel.wait_until_it_answers()


def test_killed_web_process_starts_again(panel: Panel) -> None:
    panel.wait_until_it_answers()
    server = child_of(panel, "panel-web")
    assert until(lambda: len(children_of(server)) == 2)
    killed = children_of(server)[0]

    os.kill(killed, signal.SIGKILL)

    assert until(lambda: killed not in children_of(server) and len(children_of(server)) == 2)
    panel.wait_until_it_answers()


def test_supervisor_forks_without_threads_and_without_a_connection_to_the_database(panel: Panel) -> None:
    assert panel.process is not None
    parent = Path(f"/proc/{panel.process.pid}")

    # A thread's locks and SQLite's locks don't survive a fork.
    assert len(list((parent / "task").iterdir())) == 1
    assert not any("panel.db" in str(each.readlink()) for each in (parent / "fd").iterdir())


def test_process_that_makes_the_application_for_the_web_has_no_connection_to_the_database(panel: Panel) -> None:
    files = Path(f"/proc/{child_of(panel, 'panel-web')}/fd")

    assert not any("panel.db" in str(each.readlink()) for each in files.iterdir())


def test_web_processes_end_with_the_one_that_forked_them_and_others_take_their_place(tmp_path: Path) -> None:
    with running_panel(tmp_path, is_cold=True, PANEL_WEB_WORKERS="2") as panel:
        parent = child_of(panel, "panel-web")
        web = children_of(parent)

        os.kill(parent, signal.SIGKILL)

        assert len(web) == 2
        assert until(lambda: not any(is_alive(pid) for pid in web))
        panel.wait_until_it_answers(path="/readyz")


def test_children_share_the_memory_of_what_the_supervisor_imported(panel: Panel) -> None:
    panel.wait_until_it_answers(path="/readyz")
    web = children_of(child_of(panel, "panel-web"))

    assert all(memory_kib(pid, "Pss:") < memory_kib(pid, "Rss:") * 0.7 for pid in web)


def test_second_start_on_a_port_in_use_says_so_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        panel = a_panel(tmp_path / "other", PANEL_PORT=str(port))

        ended = run_app(panel)

    assert (ended.returncode, ended.stdout) == (1, "")
    message = f"Port {port} is already in use on 127.0.0.1. Set PANEL_PORT to a free one.\n"
    assert ended.stderr == message


def test_demo_is_refused_in_production(tmp_path: Path) -> None:
    settings = {"PANEL_SECRET_KEY": "x" * 32, "PANEL_BASE_URL": "https://panel.example"}
    panel = a_panel(tmp_path, "--demo", PANEL_ENV="production", **settings)

    ended = run_app(panel)

    assert (ended.returncode, ended.stderr) == (1, "--demo is refused with PANEL_ENV=production.\n")


def test_wrong_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    ended = run_app(a_panel(tmp_path, PANEL_WEB_WORKERS="many"))

    assert ended.returncode == 1
    assert ended.stderr.startswith("Wrong setting PANEL_WEB_WORKERS: ")
    assert ended.stderr.count("\n") == 1


def test_stops_within_five_seconds_of_sigterm_and_leaves_nothing(tmp_path: Path) -> None:
    with running_panel(tmp_path, is_cold=True) as panel:
        family = descendants(panel)
        began = time.monotonic()

        code = panel.stop()

        assert code == 0
        assert time.monotonic() - began < 5
        assert len(family) >= 3
        assert not any(is_alive(pid) for pid in family)


def test_killed_parent_leaves_no_child_and_its_port_is_free(tmp_path: Path) -> None:
    with running_panel(tmp_path, is_cold=True) as panel:
        assert panel.process is not None
        family = descendants(panel)

        panel.process.kill()
        panel.process.wait()

        assert len(family) >= 3
        assert until(lambda: not any(is_alive(pid) for pid in family))
        panel.start()


def test_demo_moves_its_orders_and_a_second_start_finds_them(tmp_path: Path) -> None:
    with running_panel(tmp_path, "--demo", PANEL_SYNC_SECONDS="1") as panel:
        assert "customer@example.com" in panel.log
        assert "operator@example.com" in panel.log
        assert until(lambda: not all_are_pending(panel))
        panel.stop()

        panel.start()

        assert "There are accounts already: the demo adds nothing." in panel.log


# Fewer than these are pending once a worker has sent orders: some of the demo's are for operators.
FEW_PENDING = 8


def all_are_pending(panel: Panel) -> bool:
    with urllib.request.urlopen(f"{panel.url}/metrics") as answer:
        counts = re.findall(r'panel_orders\{status="(\w+)"\} (\d+)', answer.read().decode())
    # The demo's past orders have ended, and it has more new orders than this: only a worker completes them.
    return sum(int(count) for status, count in counts if status == "pending") >= FEW_PENDING


def run_app(panel: Panel) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "app.py", *panel.arguments]
    return subprocess.run(
        command, cwd=ROOT, env=panel.environment, capture_output=True, text=True, timeout=60, check=False
    )


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def memory_kib(pid: int, kind: str) -> int:
    """`Rss:` of the process, or `Pss:`, where shared memory counts by its share."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind))


def children_of(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in found if is_alive(int(child))]


def descendants(panel: Panel) -> list[int]:
    assert panel.process is not None
    found, waiting = [], [panel.process.pid]
    while waiting:
        own = children_of(waiting.pop())
        found += own
        waiting += own
    return found


def find_child(panel: Panel, name: str) -> int | None:
    """The supervisor's child with this process name, if it is there."""
    assert panel.process is not None
    for pid in children_of(panel.process.pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return pid
    return None


def child_of(panel: Panel, name: str) -> int:
    assert until(lambda: find_child(panel, name) is not None)
    found = find_child(panel, name)
    assert found is not None
    return found
