"""Imports of providers' catalogues: price rules, the plan of what each row changes, and the office's imports.

May import the rest of `catalogue` and what is below it.
"""
