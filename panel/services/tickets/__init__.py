"""Tickets: opened by customers, answered by operators. Threads are append-only.

May import `orders` and what is below it.
"""
