"""Size of an order: bytes of the SQLite file for each, with its events, transfers, sums, counts and indexes."""

import pytest

from panel.db import db
from tests.support import large_panel

ORDERS, CUSTOMERS = 20_000, 200
MAX_BYTES = 1_100


@pytest.mark.usefixtures("app")
def test_an_order_takes_at_most_1100_bytes() -> None:
    empty = used_bytes()

    large_panel.fill(orders=ORDERS, customers=CUSTOMERS)

    bytes_an_order = (used_bytes() - empty) / ORDERS
    assert MAX_BYTES / 2 < bytes_an_order <= MAX_BYTES


def used_bytes() -> int:
    """Pages of the file that are in use; those in the write-ahead log count."""
    db.session.rollback()
    pages, free, size = (
        int(db.session.connection().exec_driver_sql(f"PRAGMA {name}").scalar_one())
        for name in ("page_count", "freelist_count", "page_size")
    )
    db.session.rollback()
    return (pages - free) * size
