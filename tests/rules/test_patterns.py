"""Regular expressions for untrusted input: none is slow on hostile text."""

import ast
from pathlib import Path

import pytest

from panel.settings import ROOT
from tests.support.time_limit import run_in_subprocess

# Modules that read text of customers, programs and providers; the others read our own files only.
READERS = (
    "panel/domain",
    "panel/providers",
    "panel/blueprints",
    "panel/services",
    "panel/logs.py",
    "panel/security/__init__.py",
)
FUNCTIONS = {"fullmatch", "match", "search", "sub", "split", "findall", "finditer"}
MEASURE = """
import re

PARTS = (
    ["a", "A", "1", "a1", "-", "a-", "_", "@", "a@", "a.", ".", "1.", " ", "\\t ", "\\r", "\\n", "<", "< ", "&", "&a"]
    + ["{", "{{ a", "{a", "=", "a=", "|", ":", "a:", ",", "1,", "%", "/", "://", "'", "#", "é", "\\u00a0"]
)
MANY = [part * (10_000 // len(part)) for part in PARTS]
pattern = re.compile(PATTERN, FLAGS)
for text in [start + many + end for many in MANY for start in ("", "a@") for end in ("", "!", "\\0")]:
    for name in NAMES:
        found = pattern.sub("", text) if name == "sub" else getattr(pattern, name)(text)
        if name == "finditer":
            list(found)
"""


class SourcePattern:
    """A literal pattern in the source, with its flags and the functions that use it."""

    def __init__(self, call: ast.Call, pattern: str, functions: set[str]) -> None:
        self.pattern, self.functions = pattern, sorted(functions)
        flags = [each.attr for each in ast.walk(call) if isinstance(each, ast.Attribute) and each.attr.isupper()]
        self.flags = " | ".join(f"re.{each}" for each in flags) or "0"

    def seconds(self) -> float:
        code = MEASURE.replace("PATTERN", repr(self.pattern)).replace("FLAGS", self.flags)
        return run_in_subprocess(code.replace("NAMES", repr(self.functions)))


def _written(file: Path) -> dict[str, SourcePattern]:
    """Every pattern of a file, by line."""
    tree = ast.parse(file.read_text())
    names = {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    found = {}
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args):
            continue
        function, first = call.func, call.args[0]
        if not (isinstance(function.value, ast.Name) and function.value.id == "re" and isinstance(first, ast.Constant)):
            continue
        used = {function.attr} if function.attr in FUNCTIONS else _used(tree, names.get(id(call), ""))
        found[f"{file.relative_to(ROOT)}:{call.lineno}"] = SourcePattern(call, str(first.value), used or FUNCTIONS)
    return found


def _used(tree: ast.AST, name: str) -> set[str]:
    """Functions that use a compiled pattern of this name."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    } & FUNCTIONS


def _files() -> list[Path]:
    paths = [ROOT / reader for reader in READERS]
    return [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]


def _is_slow(pattern: SourcePattern) -> bool:
    try:
        return pattern.seconds() >= 5
    except pytest.fail.Exception:
        return True


def test_no_pattern_is_slow_on_hostile_text() -> None:
    written = {place: each for file in _files() for place, each in _written(file).items()}

    assert len(written) > 25
    assert [place for place, each in written.items() if _is_slow(each)] == []


def test_slow_pattern_is_detected() -> None:
    call = ast.parse("re.compile('x')", mode="eval").body
    assert isinstance(call, ast.Call)

    with pytest.raises(pytest.fail.Exception):
        SourcePattern(call, "(a+)+b", {"search"}).seconds()
