"""Mutant list: each replaced text occurs once in its file, and the tests exist."""

import functools
import re

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import ROOT, Mutant


def test_mutants_can_be_applied_and_their_tests_exist() -> None:
    assert MUTANTS
    assert {mutant.name: wrong for mutant in MUTANTS if (wrong := wrong_with(mutant))} == {}


def wrong_with(mutant: Mutant) -> list[str]:
    """What keeps this mutant from being tried."""
    wrong = [test for test in mutant.tests if not exists(test)] or ([] if mutant.tests else ["no tests"])
    text = text_of(mutant.path)
    try:
        if mutant.applied_to(text) == text:
            wrong.append("changes nothing")
    except ValueError as error:
        wrong.append(str(error))
    return wrong


def exists(test: str) -> bool:
    file, _colons, name = test.partition("::")
    return bool(re.search(rf"^def {re.escape(name)}\b" if name else "^def test_", text_of(file), re.M))


@functools.cache
def text_of(path: str) -> str:
    return (ROOT / path).read_text()


def test_no_mutant_is_listed_twice() -> None:
    names = [mutant.name for mutant in MUTANTS]

    assert len(names) == len(set(names))
