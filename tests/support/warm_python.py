"""Commands of the product as processes of their own that need not import the product again.

Each process of the tests has one server that has imported libraries and product, and forks for each command: this takes
0.1 s of CPU, a new interpreter 2 s. The command has its own process id, environment and output, and is killed like any
other. What a new interpreter does is tested where panels start with `python app.py` (`servers.a_panel`).
"""

import functools
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from panel.processes.forked import ForkedProcess, run_module
from panel.settings import ROOT

# Coverage begins when an interpreter starts: in a run that is measured each command has a new one.
IS_MEASURED = "COVERAGE_PROCESS_START" in os.environ
NOWHERE = Path(os.devnull)


def start(
    *words: str,
    environment: Mapping[str, str],
    given: Path = NOWHERE,
    output: Path = NOWHERE,
    errors: Path | None = None,
) -> ForkedProcess:
    """Start a command: `words` are what follows `python`, `-m MODULE …` or `-c CODE`."""
    files = (given, output, errors or output)
    output.touch()
    return ForkedProcess(context().Process(target=_begin, args=(words, dict(environment), files)))


def run(
    *words: str, environment: Mapping[str, str], standard_input: str = "", seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. Raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        given, output, errors = (Path(folder) / name for name in ("given", "output", "errors"))
        given.write_text(standard_input)
        command = start(*words, environment=environment, given=given, output=output, errors=errors)
        try:
            code = command.wait(seconds)
        finally:
            command.kill()
        return subprocess.CompletedProcess(words, code, output.read_text(), errors.read_text())


@functools.cache
def context() -> ForkServerContext | SpawnContext:
    """Starts processes of Python functions, as `multiprocessing` does, with the product imported."""
    if IS_MEASURED:
        return multiprocessing.get_context("spawn")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["tests.support.warm_start"])
    return forking


def _begin(words: tuple[str, ...], environment: Mapping[str, str], files: tuple[Path, Path, Path]) -> None:
    os.chdir(ROOT)
    given, *written = files
    os.dup2(os.open(given, os.O_RDONLY), 0)
    for number, path in enumerate(written, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666), number)
    if IS_MEASURED:
        os.execve(sys.executable, [sys.executable, *words], dict(environment))
    os.environ.clear()
    os.environ.update(environment)
    be(*words)


def be(option: str, what: str, *arguments: str) -> None:
    """Do in this process what `python` with these words does."""
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    if option == "-m":
        run_module(what, *arguments)
        return
    sys.argv = [what, *arguments]
    try:
        exec(what, {"__name__": "__main__"})
    finally:
        sys.stdout.flush()
