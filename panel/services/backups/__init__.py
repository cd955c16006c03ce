"""Backups: dump and restore of every table in one file, without anything being sent twice.

May import `orders` and what is below it.
"""
