"""Supervised child process: start, health check, restart with back-off, stop."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from panel.processes.forked import ForkedProcess
from panel.processes.parent_death import SUPERVISED, die_with_parent
from panel.settings import ROOT

FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
# A child that has run this long is restarted without back-off.
HEALTHY_SECONDS = 10.0


Process = subprocess.Popen[bytes] | ForkedProcess


@dataclass
class Child:
    """A process that must keep running, with its recent failures."""

    name: str
    launch: Callable[[], Process]
    process: Process | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    pause_seconds: float = FIRST_PAUSE_SECONDS


def start(child: Child) -> None:
    child.process = child.launch()
    child.started_at = time.monotonic()


def keep_alive(child: Child, *, say: Callable[[str], None]) -> float | None:
    """Restart the child if it has exited and its back-off is over. The seconds that are left of the back-off."""
    now = time.monotonic()
    if child.process is None:
        if now < child.start_again_at:
            return child.start_again_at - now
        start(child)
        return None
    code = child.process.poll()
    if code is None:
        return None
    _end_group(child.process.pid, signal.SIGKILL)
    lived_well = now - child.started_at >= HEALTHY_SECONDS
    child.pause_seconds = FIRST_PAUSE_SECONDS if lived_well else min(child.pause_seconds * 2, MAX_PAUSE_SECONDS)
    child.process = None
    child.start_again_at = now + child.pause_seconds
    say(f"The {child.name} ended ({_why(code)}); it starts again.")
    return child.pause_seconds


def stop(children: Sequence[Child], *, within_seconds: float) -> None:
    """Send SIGTERM to all, wait, then SIGKILL what is left, including grandchildren."""
    processes = [child.process for child in children if child.process is not None]
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + within_seconds
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        _end_group(process.pid, signal.SIGKILL)
        process.wait()


def spawn(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a command in its own process group, with a parent death signal."""
    parent = os.getpid()
    return subprocess.Popen(
        list(command),
        cwd=ROOT,
        env={**os.environ, SUPERVISED: "1"},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        # Safe here: the supervisor has no threads.
        preexec_fn=lambda: die_with_parent(expected_parent=parent),  # noqa: PLW1509
    )


def _end_group(group: int, sign: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, sign)


def _why(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
