"""Requirements: every version is pinned and hashed, and the short lists in pyproject.toml name what is imported."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.rules.source import ROOT, imported_packages, name_of, python_files

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FILES = [ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]
PINNED = re.compile(r"(?P<name>[a-z0-9-]+)(\[[a-z,]+\])?==(?P<version>[0-9a-z.]+)( ; [^\\]+)? \\")
REQUIREMENT = re.compile(PINNED.pattern + r"(\n    --hash=sha256:[0-9a-f]{64}( \\)?)+")
OWN = {"app", "panel", "tests"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_requirement_is_pinned_and_hashed(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line and not line.lstrip().startswith("#")]
    requirements = re.split(r"\n(?! )", "\n".join(lines))

    assert requirements
    assert [each for each in requirements if not REQUIREMENT.fullmatch(each)] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_requirements_name_no_index_and_no_option(path: Path) -> None:
    text = path.read_text()

    assert "://" not in text
    assert [line for line in text.splitlines() if line.startswith("-")] == []


def test_both_files_pin_the_same_version_of_a_package() -> None:
    product, tests = (pins(path) for path in FILES)

    assert [name for name in product.keys() & tests.keys() if product[name] != tests[name]] == []


def test_short_lists_are_in_the_compiled_files() -> None:
    product, tests = (set(pins(path)) for path in FILES)

    assert names_of(PROJECT["project"]["dependencies"]) - product == set()
    assert names_of(PROJECT["dependency-groups"]["tests"]) - tests == set()


def test_dependencies_list_every_package_that_the_product_imports() -> None:
    listed = names_of(PROJECT["project"]["dependencies"])

    assert distributions_of("app.py", "panel") - listed == set()


def test_dependencies_list_every_package_that_the_tests_import() -> None:
    listed = names_of(PROJECT["project"]["dependencies"]) | names_of(PROJECT["dependency-groups"]["tests"])

    assert distributions_of("tests") - listed == set()


def pins(path: Path) -> dict[str, str]:
    found = [PINNED.fullmatch(line) for line in path.read_text().splitlines()]
    return {pin["name"]: pin["version"] for pin in found if pin}


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[><=~! ;]", requirement, maxsplit=1)[0] for requirement in requirements}


def distributions_of(*folders: str) -> set[str]:
    """Distribution names of the packages that these folders import, without the standard library."""
    known = packages_distributions()
    names: set[str] = set()
    for file in python_files(*folders):
        for package in imported_packages(file) - OWN - set(sys.stdlib_module_names):
            names |= {re.sub(r"[-_.]+", "-", name).lower() for name in known.get(package, [package])}
    return names - {"-typeshed"}
