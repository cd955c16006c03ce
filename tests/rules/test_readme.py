"""README and ARCHITECTURE: the commands are those that CI uses, and the diagram is that of the status table."""

import re

from panel.domain.status import FIRST, Status
from tests.rules.source import ROOT

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "panel" / "ARCHITECTURE.md").read_text()


def test_readme_names_the_two_commands_word_for_word() -> None:
    start = "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python app.py --demo"

    assert start in README.splitlines()
    assert "bash tests/run" in README.splitlines()


def test_ci_calls_the_test_command_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")]

    assert [line for line in lines if not line.startswith("cd ")] == ["bash tests/run"]


def test_lifecycle_in_architecture_equals_the_status_table() -> None:
    shown = re.findall(r"^    (\S+) --> (\S+)$", ARCHITECTURE, re.MULTILINE)
    allowed = [(before.value, after.value) for before in Status for after in before.facts.next]

    assert shown == [("[*]", FIRST.value), *allowed]
