"""Payments: gateways' events, crediting and taking back, look-ups, and the comparison with the ledger.

May import `accounts` and what is below it.
"""
