"""What lies where: the top level of the design, small modules, and nothing that others wrote."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.source import ROOT, ignored_names, name_of, own_files, python_files, tree_of

TOP_LEVEL = {"app.py", "panel", "templates", "static", "content", "tests", "requirements.txt", "README.md"}
MOST_LINES = 300
MOST_LINES_OF_TESTS = 500
MOST_LINES_OF_CONFTEST = 150
MOST_BYTES = 200_000
LONGEST_LINE_OF_SCRIPT = 200
MARKS_OF_OTHERS = ("sourceMappingURL", "@license", "@preserve", "webpackJsonp", "https://htmx.org")


def test_top_level_is_exactly_that_of_the_design() -> None:
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored_names()

    assert names - {"pyproject.toml"} == TOP_LEVEL


@pytest.mark.parametrize("path", python_files("app.py", "panel", "tests"), ids=name_of)
def test_module_is_short_enough_to_read_in_one_go(path: Path) -> None:
    if "versions" in path.parts:
        return  # a migration is written once, by a generator, and tells one step as a whole
    most = MOST_LINES_OF_TESTS if "tests" in path.relative_to(ROOT).parts else MOST_LINES
    if path.name == "conftest.py":
        most = MOST_LINES_OF_CONFTEST

    assert len(path.read_text().splitlines()) <= most


@pytest.mark.parametrize("path", python_files("panel"), ids=name_of)
def test_module_says_first_what_it_is_for(path: Path) -> None:
    tree = tree_of(path)

    assert not tree.body or ast.get_docstring(tree)


def test_nothing_that_others_wrote_is_committed() -> None:
    files = own_files()
    names = [name_of(path) for path in files]
    scripts = [path for path in files if path.suffix in (".js", ".css")]

    assert not [name for name in names if "node_modules" in name or "vendor" in name or ".min." in name]
    assert not [name_of(path) for path in files if path.stat().st_size > MOST_BYTES]
    for path in scripts:
        text = path.read_text()
        assert not [mark for mark in MARKS_OF_OTHERS if mark in text], name_of(path)
        assert max(map(len, text.splitlines()), default=0) <= LONGEST_LINE_OF_SCRIPT, name_of(path)


def test_imports_go_down_only() -> None:
    program = Path(sys.executable).parent / "lint-imports"

    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
