"""Placing's one read of all it depends on, and the rows of a new order.

May import `event_chain`, `catalogue` and what is below it.
"""
