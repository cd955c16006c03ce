"""Forked processes (pre-fork): each does what a command line of `python` does, without importing the product again.

They share the memory of what their parent imported until they write to it. The parent must have no threads, and no
connection to the database: a child would inherit its locks.
"""

import ctypes
import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess

from panel.processes.parent_death import SUPERVISED, die_with_parent

# What the children use from their start on. Each makes its own application, with its own connections.
PRELOADED = (
    "granian.cli",
    "granian.asgi",
    "granian.wsgi",
    # The worker's command line loads it, and web processes that answer `/readyz`.
    "flask_migrate",
    "panel.application",
    "panel.hub.application",
    "panel.blueprints.public.styles",
    "panel.processes.connections",
    "panel.processes.reload",
    "panel.processes.request_bodies",
)

PR_SET_NAME = 15
# Signals that the supervisor handles, and its children don't.
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class ForkedProcess:
    """A running process, with what is used of `subprocess.Popen`."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        process.start()
        assert process.pid is not None
        self.pid = process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative if a signal ended it; None while it runs. Only for the thread that waits."""
        if self.returncode is None:
            self.returncode = self._process.exitcode
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises TimeoutExpired."""
        if self.returncode is None:
            self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("command", timeout or 0)
        return code

    def send_signal(self, sign: signal.Signals) -> None:
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sign)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def preload() -> None:
    """Import what the children have in common. The garbage collector, which writes to what it looks at, leaves it."""
    gc.disable()
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()


def fork(command: Sequence[str], *, name: str, preloads: str | None = None) -> ForkedProcess:
    """Start what this command line of `python -m` does, in its own process group, with a parent death signal.

    `preloads`: a module that the process imports first, to share it with those that it forks itself.
    """
    _python, _option, *words = command
    forking = multiprocessing.get_context("fork")
    # Until the child has its own handlers, a signal would be lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        return ForkedProcess(forking.Process(target=_begin, args=(words, os.getpid(), name, preloads)))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def _begin(words: Sequence[str], parent: int, name: str, preloads: str | None) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    for sign in HANDLED:
        signal.signal(sign, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    die_with_parent(expected_parent=parent)
    os.environ[SUPERVISED] = "1"
    # `top` and `ps -o comm` show it; the command line stays the supervisor's.
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())
    # The web server forks its own processes too, which isn't the default everywhere.
    multiprocessing.set_start_method("fork", force=True)
    if preloads is not None:
        importlib.import_module(preloads)
    run_module(*words)


def run_module(module: str, *arguments: str) -> None:
    """Do in this process what `python -m` with these words does."""
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()
