"""Migrations follow one another in one line, and a committed one is never edited."""

from alembic.script import ScriptDirectory

from panel.settings import ROOT
from tests.rules.migration_pins import hashes, pinned

HOW_TO_PIN = "run: .venv/bin/python -m tests.rules.migration_pins"


def test_text_of_a_committed_migration_is_as_it_was() -> None:
    now, before = hashes(), pinned()

    assert [name for name in now if name not in before] == [], HOW_TO_PIN
    assert [name for name in before if name not in now] == [], (
        f"never delete one that landed; if yours did not, {HOW_TO_PIN}"
    )
    changed = [f"{name} {digest}" for name, digest in now.items() if before[name] != digest]
    assert changed == [], (
        "instances have run the old text: add another migration. Only if yours never landed, pin it so"
    )


def test_migrations_follow_one_another_in_one_line() -> None:
    scripts = ScriptDirectory(str(ROOT / "panel" / "migrations"))
    revisions = [script.revision for script in scripts.walk_revisions()]

    assert len(scripts.get_heads()) == 1
    assert sorted(revisions, reverse=True) == revisions
    assert [name.partition("_")[0] for name in hashes()] == sorted(revisions)
