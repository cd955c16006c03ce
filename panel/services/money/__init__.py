"""Money: the ledger of transfers, deposits, statements, the audit and the export.

May import `mail` and the modules at the root of services; never `orders`.
"""
