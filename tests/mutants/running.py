"""Mutation test runner, in a copy of the project, so that working files stay untouched.

The tests also run once without a mutant, because one that always fails would kill any mutant. Each run is a forked
child with all libraries loaded that imports only our own code, from the copy, in half the time of a new process.
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
# pytest's exit codes.
PASSED, FAILED = 0, 1
# Folders that the copy in the temporary folder doesn't need.
LEFT_OUT = (".git", ".venv", "instance", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")


# Plugins loaded before pytest starts don't get rewritten asserts.
NOT_REWRITTEN = "ignore::pytest.PytestAssertRewriteWarning"
OURS = {"panel", "tests"}

_FORK = multiprocessing.get_context("fork")


class Outcome(StrEnum):
    KILLED = "killed"
    SURVIVED = "survived"
    # The tests couldn't run at all, so there is no result.
    BROKEN = "broken"


class Tree:
    """A copy of the project with one mutant at a time."""

    def __init__(self, root: Path, *, postgresql: str = "") -> None:
        """`postgresql`: URL of a server for the tests that need one."""
        self._root = root
        self._postgresql = {"PANEL_TEST_POSTGRES": postgresql} if postgresql else {}
        self._writes = 0
        self._passing: dict[tuple[str, tuple[str, ...]], bool] = {}

    def run(self, tests: Sequence[str], *, engine: str) -> int:
        """Run these tests on one engine; returns pytest's exit code. A timeout counts as noticed."""
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
        """Whether these tests pass without a mutant."""
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
        """Write the file so that Python recompiles it, which needs another size or another time in whole seconds."""
        self._writes += 1
        before = file.stat().st_mtime
        file.write_text(text)
        os.utime(file, (before + self._writes, before + self._writes))


def _run_pytest(root: Path, environment: dict[str, str], arguments: list[str]) -> None:
    """In a forked child: unload our own modules, and run these tests with the copy's."""
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
    """A copy of the project below this folder, removed afterwards."""
    root = folder / "project"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    try:
        yield Tree(root, postgresql=postgresql)
    finally:
        shutil.rmtree(root, ignore_errors=True)
