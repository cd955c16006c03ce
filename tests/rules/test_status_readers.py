"""Readers of the status table: each one matches the table.

The other readers (transitions, badges, tabs, pages, diagram) have their own tests.
"""

import re

from panel.domain.provider_report import WORDS
from panel.domain.status import Status
from panel.models import Order, OrderCount
from tests.rules.source import ROOT, name_of, python_files

LABELS = {status.label for status in Status}


def test_database_check_is_made_of_the_table() -> None:
    check = next(str(rule.sqltext) for rule in Order.__table__.constraints if rule.name == "ck_orders_status")  # type: ignore[attr-defined]

    assert re.findall(r"'(\w+)'", check) == [status.value for status in Status]


def test_newest_migration_has_the_words_of_the_table() -> None:
    texts = [path.read_text() for path in python_files("panel/migrations/versions")]
    checks = [words for text in texts for words in re.findall(r"\"status IN \(([^)]*)\)\"", text)]

    assert re.findall(r"'(\w+)'", checks[-1]) == [status.value for status in Status]
    assert "status" in OrderCount.__table__.primary_key.columns  # type: ignore[attr-defined]


def test_words_of_providers_lead_to_statuses_of_the_table() -> None:
    assert all(isinstance(status, Status) for status in WORDS.values())
    assert {status.label.lower() for status in Status} - set(WORDS) == {"refill"}


def test_every_status_has_its_file_of_content_and_no_other_is_there() -> None:
    files = {path.stem for path in (ROOT / "content" / "statuses").glob("*.md")}

    assert files == {status.value for status in Status}


def test_every_tone_has_a_token_and_no_other_is_there() -> None:
    tokens = (ROOT / "static" / "css" / "tokens.css").read_text()
    named = set(re.findall(r"--([a-z]+)-fg\s*:", tokens))

    assert named == {status.facts.tone for status in Status}


def test_no_template_compares_status_words() -> None:
    comparison = re.compile(r"[!=]=\s*['\"](" + "|".join([*Status, *LABELS]) + r")['\"]")
    guilty = [name_of(path) for path in (ROOT / "templates").rglob("*.html") if comparison.search(path.read_text())]

    assert guilty == []


def test_no_stylesheet_repeats_a_rule_per_status() -> None:
    sheets = sorted((ROOT / "static" / "css").glob("*.css"))

    assert sheets
    assert not [name_of(path) for path in sheets if "data-status" in path.read_text()]
