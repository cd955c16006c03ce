"""Tickets: opened by customers, answered by operators. Lines of a thread are added and never changed.

May import `orders` and what is below it.
"""
