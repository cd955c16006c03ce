"""Mutant as data: a replacement in a file, and the tests that must notice it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SQLITE, POSTGRESQL = "sqlite", "postgresql"
ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault. `old` occurs exactly once in the file; `tests` are arguments for pytest, files or single tests.

    Tests of both engines run on `engine` only: SQLite, except for faults that need PostgreSQL's row locks.
    """

    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    engine: str = SQLITE

    @property
    def name(self) -> str:
        return f"{self.path}: {' '.join(self.old.split())} -> {' '.join(self.new.split()) or 'nothing'}"

    def applied_to(self, text: str) -> str:
        """The file with the fault. Raises ValueError unless `old` occurs exactly once."""
        count = text.count(self.old)
        if count != 1:
            raise ValueError(f"{self.path} has {self.old!r} {count} times, not once")
        return text.replace(self.old, self.new)


def in_file(path: str, tests: str, *changes: tuple[str, str], engine: str = SQLITE) -> list[Mutant]:
    """Mutants of one file that the same tests (names with spaces between them) must notice."""
    return [Mutant(path, old, new, tuple(tests.split()), engine) for old, new in changes]


def kinds(mutants: Sequence[Mutant]) -> dict[str, int]:
    """Number of mutants in each folder."""
    counted: dict[str, int] = {}
    for mutant in mutants:
        folder = str(Path(mutant.path).parent)
        counted[folder] = counted.get(folder, 0) + 1
    return dict(sorted(counted.items()))
