"""Providers: their registry, health and back-off.

May import `health` and what is below it.
"""
