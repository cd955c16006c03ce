"""Mutants of what orders go through: transitions, placing, dispatch, what providers report, refills."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
