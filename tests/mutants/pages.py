"""Mutants of pages that show money, and of what they read."""

from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = ()
