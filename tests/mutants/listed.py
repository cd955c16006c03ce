"""All mutants, in the order of the product's layers."""

from tests.mutants import business, edge, money, orders, pages
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*money.MUTANTS, *business.MUTANTS, *orders.MUTANTS, *edge.MUTANTS, *pages.MUTANTS)
