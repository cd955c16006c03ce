"""Runs mutants: in a copy of the project, so that nothing happens to the files that somebody works on.

The tests named run once without a mutant as well: one that fails by itself would kill anything. Each run is a forked
child that has all libraries already and imports only our own code, from the copy: half the time of a fresh process.
"""

import multiprocessing
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import hypothesis  # noqa: F401  (loaded here, for all children)
import pytest

import panel.application  # noqa: F401
from tests.mutants.mutant import ROOT, SQLITE, Mutant

TIMEOUT_SECONDS = 600
# What pytest says with its exit code.
PASSED, FAILED = 0, 1
# The copy lies in the system's temporary folder; what is in these folders is not needed there.
LEFT_OUT = (".git", ".venv", "instance", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


# Plugins that are loaded before pytest starts keep plain asserts.
NOT_REWRITTEN = "ignore::pytest.PytestAssertRewriteWarning"
OURS = {"panel", "tests"}

_FORK = multiprocessing.get_context("fork")


class Outcome(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    # The tests could not be run at all, so the mutant says nothing about them.
    BROKEN = "broken"


class Tree:
    """A copy of the project in which one mutant at a time lives."""

    def __init__(self, root: Path, *, postgresql: str = "") -> None:
        """`postgresql`: the address of a server for the tests that need one."""
        self._root = root
        self._postgresql = {"PANEL_TEST_POSTGRES": postgresql} if postgresql else {}
        self._writes = 0
        self._passing: dict[tuple[str, tuple[str, ...]], bool] = {}

    def run(self, tests: Sequence[str], *, engine: str) -> int:
        """What pytest says of these tests, on one engine: its exit code. Endless tests have noticed something."""
        which = "not postgresql" if engine == SQLITE else "postgresql"
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-k", which, "-W", NOT_REWRITTEN, *tests]
        child = _FORK.Process(target=_run_pytest, args=(self._root, self._postgresql, arguments))
        child.start()
        child.join(TIMEOUT_SECONDS)
        if child.exitcode is None:
            child.kill()
            child.join()
            return FAILED
        return child.exitcode

    def outcome_of(self, mutant: Mutant) -> Outcome:
        """Whether the mutant's tests notice it."""
        if not self._passes_alone(mutant):
            return Outcome.BROKEN
        with self._living(mutant):
            code = self.run(mutant.tests, engine=mutant.engine)
        return {PASSED: Outcome.SURVIVED, FAILED: Outcome.KILLED}.get(code, Outcome.BROKEN)

    def _passes_alone(self, mutant: Mutant) -> bool:
        """Whether these tests pass where nothing was changed."""
        key = (mutant.engine, mutant.tests)
        if key not in self._passing:
            self._passing[key] = self.run(mutant.tests, engine=mutant.engine) == PASSED
        return self._passing[key]

    @contextmanager
    def _living(self, mutant: Mutant) -> Iterator[None]:
        file = self._root / mutant.path
        text = file.read_text()
        self._write(file, mutant.applied_to(text))
        try:
            yield
        finally:
            self._write(file, text)

    def _write(self, file: Path, text: str) -> None:
        """Python compiles a file again only where its time, in whole seconds, or its size has changed."""
        self._writes += 1
        before = file.stat().st_mtime
        file.write_text(text)
        os.utime(file, (before + self._writes, before + self._writes))


def _run_pytest(root: Path, environment: dict[str, str], arguments: list[str]) -> None:
    """In a forked child: forget our own modules, and run these tests with the copy's."""
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    os.environ.update(environment, PYTHONPATH=str(root))
    os.chdir(root)
    sys.path[:] = [str(root), *(path for path in sys.path if path not in ("", str(ROOT)))]
    for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
        del sys.modules[name]
    os._exit(int(pytest.main(arguments)))


@contextmanager
def copied_tree(folder: Path, *, postgresql: str = "") -> Iterator[Tree]:
    """A copy of the project below this folder, gone afterwards."""
    root = folder / "project"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    try:
        yield Tree(root, postgresql=postgresql)
    finally:
        shutil.rmtree(root, ignore_errors=True)
