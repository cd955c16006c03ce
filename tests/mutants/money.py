"""Mutants of the ledger, of what divides an order's money, and of the database below it."""

from tests.mutants.mutant import in_file

MUTANTS = (
    *in_file(
        "panel/db.py",
        "tests/models/test_connections.py",
        ('"synchronous=FULL"', '"synchronous=NORMAL"'),
    ),
    *in_file(
        "panel/migrations/versions/0001_the_spine.py",
        "tests/models/test_settling_index.py",
        (
            '"uq_transfers_settling",\n            ["order_id", "kind"],\n            unique=True,',
            '"uq_transfers_settling",\n            ["order_id", "kind"],\n            unique=False,',
        ),
    ),
)
