"""Code rules: one way to commit, one clock, integers for money, tests that assert."""

import ast
import re
from pathlib import Path

from tests.rules.source import ROOT, calling, imported_packages, name_of, python_files, tree_of

EDGES = (
    "application",
    "blueprints",
    "cli",
    "hub",
    "jobs",
    "middleware",
    "processes",
    "worker",
)


def test_only_the_transaction_commits() -> None:
    elsewhere = [path for path in python_files("app.py", "panel") if name_of(path) != "panel/db/__init__.py"]

    assert calling({"commit"}, python_files("panel/db/__init__.py"))
    assert calling({"commit"}, elsewhere) == []


def test_transactions_are_opened_at_the_edges_only() -> None:
    below = python_files("panel/services", "panel/models", "panel/providers", "panel/domain")

    assert below
    assert calling({"transaction"}, below) == []


def test_only_edges_ask_what_time_it_is() -> None:
    edges = {f"panel/{edge}" for edge in EDGES}
    others = [path for path in python_files("panel") if not _is_below(path, edges) and path.name != "clock.py"]

    assert others
    assert calling({"utc_now"}, others) == []


def test_only_the_clock_reads_the_wall_clock() -> None:
    files = [path for path in python_files("panel") if name_of(path) != "panel/clock.py"]

    assert calling({"utcnow", "today"}, files) == []
    assert [place for path in files for place in _now_of_datetime(path)] == []


def test_money_is_counted_in_whole_numbers() -> None:
    files = python_files("panel/domain", "panel/services", "panel/models")

    assert files
    assert calling({"float", "round", "Decimal"}, files) == []
    assert [name_of(path) for path in files if "decimal" in imported_packages(path)] == []
    assert [place for path in files for place in _divisions(path)] == []


def test_amounts_in_columns_of_numbers_align_at_their_decimal_point() -> None:
    """The macros of components/money.html say how many places an amount has; the bare filter does not."""
    bare = re.compile(r'<td class="num[^>]*>(?:(?!</td>).)*\|\s*money\b(?:(?!</td>).)*</td>', re.DOTALL)
    templates = list((ROOT / "templates").rglob("*.html"))

    assert templates
    assert [name_of(path) for path in templates if bare.search(path.read_text())] == []


def test_nothing_prints_but_commands() -> None:
    files = [path for path in python_files("panel") if not _is_below(path, {"panel/cli", "panel/processes"})]

    assert calling({"print"}, files) == []


def test_models_have_no_hidden_work() -> None:
    assert calling({"listens_for", "listen"}, python_files("panel/models", "panel/services")) == []


def test_class_names_are_unique() -> None:
    """One name, one meaning: a search for a class finds one class, in the product and in its tests."""
    places: dict[str, list[str]] = {}
    for path in python_files("panel", "tests"):
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name_of(path))

    assert len(places) > 300
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_every_file_of_tests_asserts_something() -> None:
    assert [name_of(path) for path in _test_files() if not _asserts(tree_of(path))] == []


def test_no_test_is_skipped_or_patched_by_hand() -> None:
    """Only `servers.skip_or_fail` reports missing programs; time is passed in, not patched."""
    files = _test_files()

    assert calling({"skip", "skipif", "xfail", "importorskip"}, files) == []
    mocking = {"mock", "unittest", "freezegun", "time_machine"}
    assert [name_of(path) for path in files if imported_packages(path) & mocking] == []


def test_no_test_patches_a_private_name() -> None:
    assert [place for path in python_files("tests") for place in _private_patches(path)] == []


def _test_files() -> list[Path]:
    return [path for path in python_files("tests") if path.name.startswith("test_")]


def _private_patches(path: Path) -> list[str]:
    """Places where monkeypatch sets a private attribute, or an attribute of a private object."""
    found = []
    for node in ast.walk(tree_of(path)):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".setattr", ".delattr"))):
            continue
        words = [word for given in node.args[:2] for word in ast.unparse(given).strip("'\"").split(".")]
        if any(word.startswith("_") and not word.endswith("__") for word in words):
            found.append(f"{name_of(path)}:{node.lineno} {ast.unparse(node)[:80]}")
    return found


def _is_below(path: Path, places: set[str]) -> bool:
    name = name_of(path)
    return any(name == f"{place}.py" or name.startswith(f"{place}/") for place in places)


def _now_of_datetime(path: Path) -> list[str]:
    calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    return [
        f"{name_of(path)}:{call.lineno}"
        for call in calls
        if isinstance(call, ast.Attribute) and call.attr == "now" and ast.unparse(call.value) in ("datetime", "func")
    ]


def _divisions(path: Path) -> list[str]:
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)]
    return [
        f"{name_of(path)}:{node.lineno}" for node in nodes if "ROOT" not in ast.unparse(node) and not _joins_paths(node)
    ]


def _joins_paths(node: ast.BinOp) -> bool:
    """Whether this division joins paths: one side of the slash is a string."""
    sides = (node.left, node.right)
    return any(isinstance(side, ast.JoinedStr) or _is_text(side) for side in sides)


def _is_text(side: ast.expr) -> bool:
    return isinstance(side, ast.Constant) and isinstance(side.value, str)


def _asserts(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pytest.raises", "expect"):
            return True
    return False
