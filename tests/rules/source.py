"""Source code helpers for rule tests: files, syntax trees, and calls."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def python_files(*folders: str) -> list[Path]:
    """The Python files below these folders of the project, or the files themselves."""
    paths = [ROOT / folder for folder in folders]
    found = [path for path in paths if path.is_file()]
    found += [file for path in paths for file in path.rglob("*.py") if "__pycache__" not in file.parts]
    return sorted(found)


@cache
def own_files() -> list[Path]:
    """Every file of the project that isn't ignored by .gitignore."""
    left_out = ignored_names()
    files = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not left_out.intersection(parts) and parts[0] != ".git" and path.suffix != ".pyc":
            files.append(path)
    return files


def ignored_names() -> set[str]:
    lines = (ROOT / ".gitignore").read_text().split()
    return {line.strip("/") for line in lines if not line.startswith("*")}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Name and line of every call: `commit` for `db.session.commit()` as for `commit()`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name, node.lineno


def calling(names: set[str], files: list[Path]) -> list[str]:
    """Calls of these names in these files, as `panel/db/__init__.py:112 commit`."""
    return [f"{name_of(file)}:{line} {name}" for file in files for name, line in calls(file) if name in names]


def imported_packages(path: Path) -> set[str]:
    """The top-level names that this file imports: `flask` for `from flask.testing import FlaskClient`."""
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names
