"""Providers: their registry, health and back-off, and the import of their catalogues.

May import `catalogue` and what lies below it.
"""
