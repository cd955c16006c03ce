"""Project layout: top-level names, module sizes, and no third-party code."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.rules.source import ROOT, ignored_names, name_of, own_files, python_files, tree_of

TOP_LEVEL = {"app.py", "panel", "templates", "static", "content", "tests", "requirements.txt", "README.md"}
ROOT_MODULES = {"app_context", "application", "clock", "logs", "settings", "worker"}
MAX_LINES = 300
MAX_LINES_OF_TESTS = 500
MAX_LINES_OF_CONFTEST = 150
MAX_MODULES = 25
MAX_BYTES = 200_000
MAX_LINE_OF_SCRIPT_LENGTH = 200
MARKS_OF_OTHERS = ("sourceMappingURL", "@license", "@preserve", "webpackJsonp", "https://htmx.org")


def test_top_level_is_exactly_that_of_the_design() -> None:
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - ignored_names()

    assert names - {"pyproject.toml"} == TOP_LEVEL


def test_root_of_panel_has_these_modules_and_layers_alone() -> None:
    modules = {path.stem for path in (ROOT / "panel").glob("*.py")}

    assert modules - {"__init__"} == ROOT_MODULES


def test_modules_are_short_enough_to_read_in_one_go() -> None:
    # A migration is generated once and is one step.
    files = [path for path in python_files("app.py", "panel", "tests") if "versions" not in path.parts]
    lengths = {path: len(path.read_text().splitlines()) for path in files}

    assert [f"{name_of(path)}: {lines}" for path, lines in lengths.items() if lines > _most_lines(path)] == []


def test_no_package_has_more_modules_than_one_can_look_over() -> None:
    packages = Counter(path.parent for path in python_files("panel") if path.name != "__init__.py")
    migrations = {path for path in packages if path.name == "versions"}

    assert [name_of(path) for path, count in packages.items() if count > MAX_MODULES and path not in migrations] == []


def test_every_module_has_a_docstring() -> None:
    trees = {path: tree_of(path) for path in python_files("panel")}

    assert [name_of(path) for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)] == []


def _most_lines(path: Path) -> int:
    if path.name == "conftest.py":
        return MAX_LINES_OF_CONFTEST
    return MAX_LINES_OF_TESTS if "tests" in path.relative_to(ROOT).parts else MAX_LINES


def test_nothing_that_others_wrote_is_committed() -> None:
    files = own_files()
    names = [name_of(path) for path in files]
    scripts = [path for path in files if path.suffix in (".js", ".css")]

    assert not [name for name in names if "node_modules" in name or "vendor" in name or ".min." in name]
    assert not [name_of(path) for path in files if path.stat().st_size > MAX_BYTES]
    for path in scripts:
        text = path.read_text()
        assert not [mark for mark in MARKS_OF_OTHERS if mark in text], name_of(path)
        assert max(map(len, text.splitlines()), default=0) <= MAX_LINE_OF_SCRIPT_LENGTH, name_of(path)


def test_imports_go_down_only() -> None:
    program = Path(sys.executable).parent / "lint-imports"

    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
