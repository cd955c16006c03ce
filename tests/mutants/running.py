"""Runs mutants: in a copy of the project, so that nothing happens to the files that somebody works on.

The tests named run once without a mutant as well: one that fails by itself would kill anything.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from tests.mutants.mutant import ROOT, SQLITE, Mutant

TIMEOUT_SECONDS = 600
# What pytest says with its exit code.
PASSED, FAILED = 0, 1
# The copy lies in the system's temporary folder; what is in these folders is not needed there.
LEFT_OUT = (".git", ".venv", "instance", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


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

    def run(self, tests: Sequence[str], *, engine: str) -> tuple[int, str]:
        """What pytest says of these tests, on one engine: its exit code and its words."""
        which = "not postgresql" if engine == SQLITE else "postgresql"
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-k", which]
        environment = {**os.environ, **self._postgresql, "PYTHONPATH": str(self._root)}
        try:
            ended = subprocess.run(
                [*command, *tests],
                cwd=self._root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            # An endless loop is noticed.
            return FAILED, "timed out"
        return ended.returncode, ended.stdout + ended.stderr

    def outcome_of(self, mutant: Mutant) -> Outcome:
        """Whether the mutant's tests notice it."""
        if not self._passes_alone(mutant):
            return Outcome.BROKEN
        with self._living(mutant):
            code, _said = self.run(mutant.tests, engine=mutant.engine)
        return {PASSED: Outcome.SURVIVED, FAILED: Outcome.KILLED}.get(code, Outcome.BROKEN)

    def _passes_alone(self, mutant: Mutant) -> bool:
        """Whether these tests pass where nothing was changed."""
        key = (mutant.engine, mutant.tests)
        if key not in self._passing:
            self._passing[key] = self.run(mutant.tests, engine=mutant.engine)[0] == PASSED
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


@contextmanager
def copied_tree(folder: Path, *, postgresql: str = "") -> Iterator[Tree]:
    """A copy of the project below this folder, gone afterwards."""
    root = folder / "project"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    try:
        yield Tree(root, postgresql=postgresql)
    finally:
        shutil.rmtree(root, ignore_errors=True)
