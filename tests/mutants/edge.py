"""Mutants of the layers before Flask, of who is let in, and of lists in pages."""

from tests.mutants.mutant import in_file

PAGES = "tests/blueprints/test_office_pages.py"

MUTANTS = (
    *in_file(
        "panel/services/shown.py",
        "tests/test_page_hash.py",
        ("|{present.user_id}|", "|"),
    ),
    *in_file(
        "panel/services/office/orders_table.py", PAGES, ("ORDERS.c.id < filters.after", "ORDERS.c.id <= filters.after")
    ),
    *in_file(
        "panel/services/office/ledger_search.py",
        PAGES,
        ("TRANSFERS.c.id < filters.after", "TRANSFERS.c.id <= filters.after"),
    ),
    *in_file(
        "panel/services/office/log_view.py", PAGES, ("AuditLine.id < filters.after", "AuditLine.id <= filters.after")
    ),
    *in_file("panel/services/office/customers.py", PAGES, ("User.id < after", "User.id <= after")),
    *in_file(
        "panel/services/office/review_list.py",
        PAGES,
        ("Review.id > after.review_id", "Review.id >= after.review_id"),
        ("order_by(_rank, Review.id)", "order_by(Review.id)"),
    ),
    *in_file("panel/services/top_ups.py", PAGES, ("TopUp.id > (after or 0)", "TopUp.id >= (after or 0)")),
    *in_file(
        "panel/services/tickets/queue.py",
        PAGES,
        (".offset((number - 1) * ROWS_PER_PAGE)", ".offset((number - 1) * (ROWS_PER_PAGE + 1))"),
    ),
)
