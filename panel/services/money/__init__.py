"""Money: the ledger of transfers, deposits, statements, the audit and the export.

May import `delivery_times` and what is below it.
"""
