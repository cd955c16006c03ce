"""Permissions in the instance folder: only the owner can access files, whatever process created them."""

import os
from pathlib import Path

import pytest

from tests.support import warm_python
from tests.support.servers import START_SECONDS, Panel, a_panel, running_panel

OPEN_UMASK, OPEN_TO_ALL = 0o000, 0o666
NOT_SECRET = {"output.log"}


def open_files(folder: Path) -> list[str]:
    """Files that others than the owner can read or change."""
    own = [path for path in folder.rglob("*") if path.name not in NOT_SECRET and not path.name.startswith("htmx")]
    return sorted(str(path.relative_to(folder)) for path in own if path.stat().st_mode & 0o077)


def run(panel: Panel, code: str) -> None:
    """Run this Python code with an umask that keeps nobody out."""
    code = f"import os; os.umask({OPEN_UMASK}); {code}"
    done = warm_python.run("-c", code, environment=panel.environment, seconds=START_SECONDS)
    assert done.returncode == 0, done.stderr


def run_flask(panel: Panel, *arguments: str) -> None:
    run(panel, f"from flask.cli import main; import sys; sys.argv = {['flask', *arguments]}; main()")


def test_commands_make_private_files(tmp_path: Path) -> None:
    panel = a_panel(tmp_path)

    run_flask(panel, "init")
    run_flask(panel, "worker", "--once")
    run(panel, "from app import app; app.test_client().get('/')")

    assert (tmp_path / "panel.db").exists()
    assert open_files(tmp_path) == []


def test_all_processes_of_a_running_panel_make_private_files(tmp_path: Path) -> None:
    before = os.umask(OPEN_UMASK)
    try:
        with running_panel(tmp_path, "--demo", is_cold=True) as panel:
            panel.wait_until_it_answers(path="/readyz")

            assert {"panel.db", "panel.db-wal", "panel.db-shm", "secret_key"} <= {
                path.name for path in tmp_path.iterdir()
            }
            assert open_files(tmp_path) == []
    finally:
        os.umask(before)


@pytest.mark.parametrize("command", [("init",), ("users", "--help")], ids="-".join)
def test_files_that_were_open_to_others_are_closed_at_start(tmp_path: Path, command: tuple[str, ...]) -> None:
    panel = a_panel(tmp_path)
    run_flask(panel, "init")
    (tmp_path / "mail").mkdir()
    for name in ("panel.db-wal", "panel.db-shm", "seal_key", "mail/1.eml", "worker-1.lock"):
        (tmp_path / name).touch()
    for path in tmp_path.rglob("*"):
        path.chmod(0o777 if path.is_dir() else OPEN_TO_ALL)

    run_flask(panel, *command)

    assert open_files(tmp_path) == []
