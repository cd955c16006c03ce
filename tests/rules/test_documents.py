"""Documents: links and paths exist, ARCHITECTURE has the layers of the import contracts, README stays short."""

import ast
import itertools
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask_migrate.cli import db

from panel import cli
from panel.settings import Settings
from tests.rules import roles_table
from tests.rules.source import ROOT, name_of, own_files, python_files

README = ROOT / "README.md"
ARCHITECTURE = ROOT / "panel" / "ARCHITECTURE.md"
DOCUMENTS = [path for path in own_files() if path.suffix == ".md" and "content" not in path.relative_to(ROOT).parts]
# Lists changes, so it may name what was removed.
HISTORY = ROOT / ".github" / "CHANGELOG.md"
OF_TODAY = [path for path in DOCUMENTS if path != HISTORY]

MAX_LINES_OF_README = 200
MAX_BYTES_OF_IMAGE = 80_000
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)|<img src=\"([^\"]+)\"")
CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w./-]+/?")
FOLDERS = ("panel/", "tests/", "templates/", "static/", "content/", ".github/", ".ci/")
SETTING = re.compile(r"\bPANEL_[A-Z_]+\b")
TEST_SETTING = "PANEL_TEST_"
# Words of the product's former dialect.
DIALECT = re.compile(r"\b(anew|told|drawn|at once|who[ _]asks|enemy|letters? of|kept pages?|handed over|hand-over)\b")
COMMAND = re.compile(r"^(?:.*[ /`])?flask ([a-z][a-z-]*)(?: ([a-z-]+))?", re.MULTILINE)


def test_links_of_documents_lead_to_files() -> None:
    def dead(path: Path) -> list[str]:
        targets = [first or second for first, second in LINK.findall(path.read_text())]
        return [target for target in targets if not (path.parent / target).exists()]

    assert offenders(DOCUMENTS, dead) == {}


def test_paths_that_documents_name_exist() -> None:
    def unknown(path: Path) -> list[str]:
        names = [name for name in CODE.findall(path.read_text()) if PATH.fullmatch(name)]
        names = [name for name in names if name.startswith(FOLDERS) or name.endswith(".py")]
        return [name for name in names if not is_in_project(name)]

    assert offenders(OF_TODAY, unknown) == {}


def test_settings_that_documents_name_exist() -> None:
    known = {f"PANEL_{name.upper()}" for name in Settings.model_fields}

    def unknown(path: Path) -> list[str]:
        names = {name for name in SETTING.findall(path.read_text()) if not name.startswith(TEST_SETTING)}
        return sorted(names - known)

    assert offenders(OF_TODAY, unknown) == {}


def test_commands_that_documents_name_exist() -> None:
    app = Flask("panel")
    cli.init_app(app)
    app.cli.add_command(db)

    def unknown(path: Path) -> list[str]:
        return [" ".join(found) for found in COMMAND.findall(path.read_text()) if not is_command(app, *found)]

    assert offenders(OF_TODAY, unknown) == {}


def test_documents_are_in_plain_english() -> None:
    assert offenders(DOCUMENTS, lambda path: DIALECT.findall(path.read_text())) == {}


def test_layers_in_architecture_equal_the_import_contract() -> None:
    contract = contract_of("panel")

    assert shown("layers") == [layer.replace("(", "").replace(")", "") for layer in contract["layers"]]
    assert contract["exhaustive"]


@pytest.mark.parametrize("layer", ["services", "blueprints"])
def test_packages_in_architecture_equal_the_import_contract(layer: str) -> None:
    contract = contract_of(f"panel.{layer}")

    assert shown(layer) == contract["layers"]
    assert contract["exhaustive"]


def test_every_package_says_what_it_may_import() -> None:
    packages = [path for path in python_files("panel") if path.name == "__init__.py" and "migrations" not in path.parts]

    docstrings = {name_of(path): ast.get_docstring(ast.parse(path.read_text())) or "" for path in packages}

    assert [name for name, text in docstrings.items() if not re.search(r"\b[Mm]ay import\b", text)] == []


def test_packages_of_services_name_the_layer_below_them() -> None:
    layers = [names_in(layer) for layer in contract_of("panel.services")["layers"]]
    wrong = []
    for above, below in itertools.pairwise(layers[:-1]):
        packages = [ROOT / "panel" / "services" / name / "__init__.py" for name in above]
        for file in (file for file in packages if file.exists()):
            sentence = file.read_text().partition("May import ")[2].partition("\n")[0]
            wrong += [name_of(file) for name in below if f"`{name}`" not in sentence]

    assert wrong == []


def test_roles_in_architecture_equal_the_table_in_the_code() -> None:
    assert "\n\n" + "\n".join(roles_table.lines()) + "\n\n" in ARCHITECTURE.read_text()


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= MAX_LINES_OF_README


def test_readme_shows_two_small_screenshots() -> None:
    images = [ROOT / second for _, second in LINK.findall(README.read_text()) if second]

    assert len(images) == 2
    assert [name_of(image) for image in images if image.stat().st_size > MAX_BYTES_OF_IMAGE] == []


def test_workflow_runs_the_test_command() -> None:
    workflow = (ROOT / ".github" / "workflows" / "check.yml").read_text()

    assert re.findall(r"- run: (.*)", workflow) == ["bash tests/run"]


def offenders(documents: list[Path], find: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    """What is found wrong in each of these documents that has something wrong."""
    assert documents
    return {name_of(path): found for path in documents if (found := find(path))}


def is_in_project(name: str) -> bool:
    """Whether this is a path of the project, or the end of one: `db/errors.py` for `panel/db/errors.py`."""
    if name.startswith(FOLDERS):
        return (ROOT / name).exists()
    return any(name_of(path) == name or name_of(path).endswith(f"/{name}") for path in own_files())


def is_command(app: Flask, name: str, sub: str) -> bool:
    command = app.cli.commands.get(name)
    if isinstance(command, click.Group):
        return not sub or sub in command.commands
    return command is not None


def contract_of(container: str) -> dict[str, Any]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [contract] = [contract for contract in contracts if contract.get("containers") == [container]]
    return dict(contract)


def names_in(layer: str) -> list[str]:
    return re.findall(r"\w+", layer)


def shown(block: str) -> list[str]:
    """The lines of this block in ARCHITECTURE, without their explanations."""
    found = re.search(rf"^```{block}\n(.*?)^```", ARCHITECTURE.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return [re.split(r" {2,}", line)[0] for line in found[1].splitlines()]
