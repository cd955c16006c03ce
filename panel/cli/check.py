"""`flask check`: every linter and every test, in reading order, as CI runs them."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from flask import Flask

from panel.settings import ROOT

Linter = tuple[str, tuple[str, ...]]
RunningLinter = tuple[str, "subprocess.Popen[str]"]

LINTERS: tuple[Linter, ...] = (
    ("ruff check", ("ruff", "check", "--output-format", "concise", ".")),
    ("ruff format", ("ruff", "format", "--check", "--output-format", "concise", ".")),
    ("import-linter", ("lint-imports", "--no-logo")),
    ("djlint", ("djlint", "--lint", "--quiet", "templates")),
)
# Takes longer than the other linters together, so it runs beside the tests.
TYPES: Linter = ("mypy", ("mypy",))
TESTS = (
    # Two processes for each processor, since many tests wait: for processes, databases, pages and timeouts.
    ("pytest", ("pytest", "-m", "not alone", "-n", str(min(4, 2 * (os.cpu_count() or 1))), "--dist", "loadfile")),
    ("pytest, one test at a time", ("pytest", "-m", "alone")),
)

COVERAGE_FILE = ROOT / "instance" / "coverage" / "data"
LEAST_PERCENT = "95"
LEFT_OUT = (
    "Left out: panel/migrations (they run before a test process measures), lines for type checkers alone, and what"
    " a process does after it was killed."
)


@click.command("check")
@click.option("--long", "is_long", is_flag=True, help="Repeat the soaks as often as they can bear.")
@click.option("--coverage", "measures", is_flag=True, help="Measure branch coverage of panel/ and show it at the end.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def check(is_long: bool, measures: bool, pytest_arguments: tuple[str, ...]) -> None:
    """Run all linters and tests. What follows `--` goes to pytest, which then runs once and one test at a time."""
    failed: dict[str, int] = {}
    if measures:
        # Every Python process of the tests measures itself: coverage reads this when Python starts.
        os.environ["COVERAGE_PROCESS_START"] = str(ROOT / "pyproject.toml")
        # Absolute, for processes that run in another folder.
        os.environ["COVERAGE_FILE"] = str(COVERAGE_FILE)
        COVERAGE_FILE.parent.mkdir(parents=True, exist_ok=True)
        _run("coverage", "erase", is_long=False)
    beside_tests = [_start_linter(TYPES)]
    failed |= _results([_start_linter(linter) for linter in LINTERS])
    for name, command in [("pytest", ("pytest", *pytest_arguments))] if pytest_arguments else TESTS:
        click.secho(f"── {name}", bold=True)
        code = _run(*command, is_long=is_long)
        if code != 0:
            failed[name] = code
        failed |= _results(beside_tests)
        beside_tests.clear()
    if measures:
        _run("coverage", "combine", "--quiet", is_long=False)
        # A part of the tests covers a part of the code.
        least = () if pytest_arguments else ("--fail-under", LEAST_PERCENT)
        if (code := _run("coverage", "report", "--precision", "2", *least, is_long=False)) != 0:
            failed["coverage"] = code
        click.echo(LEFT_OUT)
    if failed:
        click.secho(f"Failed: {', '.join(failed)}.", fg="red", err=True)
        raise SystemExit(next(iter(failed.values())))
    click.secho("All checks passed.", fg="green")


def _start_linter(linter: Linter) -> RunningLinter:
    name, command = linter
    return name, _start(*command, stdout=subprocess.PIPE)


def _results(linters: Sequence[RunningLinter]) -> dict[str, int]:
    """Wait for linters that run in parallel, and show the output of each in turn; returns those that failed."""
    failed = {}
    for name, linter in linters:
        click.secho(f"── {name}", bold=True)
        click.echo(linter.communicate()[0], nl=False)
        if linter.returncode != 0:
            failed[name] = linter.returncode
    return failed


def _run(program: str, *arguments: str, is_long: bool) -> int:
    return _start(program, *arguments, is_long=is_long).wait()


def _start(program: str, *arguments: str, is_long: bool = False, stdout: int | None = None) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASK_")}
    if is_long:
        environment["PANEL_TEST_LONG"] = "1"
    if program != "pytest":
        environment.pop("COVERAGE_PROCESS_START", None)
    sys.stdout.flush()
    path = Path(sys.executable).parent / program
    stderr = subprocess.STDOUT if stdout is not None else None
    return subprocess.Popen([path, *arguments], cwd=ROOT, env=environment, stdout=stdout, stderr=stderr, text=True)


def init_app(app: Flask) -> None:
    app.cli.add_command(check)
