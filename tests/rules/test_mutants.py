"""Mutant list: each replaced text occurs once in its file, and the tests exist."""

import re

import pytest

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name[:100])
def test_mutant_can_be_applied_and_its_tests_exist(mutant: Mutant) -> None:
    text = (ROOT / mutant.path).read_text()

    assert mutant.applied_to(text) != text
    assert mutant.tests
    for test in mutant.tests:
        file, _colons, name = test.partition("::")
        assert re.search(rf"^def {re.escape(name)}\b" if name else "^def test_", (ROOT / file).read_text(), re.M), test


def test_no_mutant_is_listed_twice() -> None:
    names = [mutant.name for mutant in MUTANTS]

    assert len(names) == len(set(names))
