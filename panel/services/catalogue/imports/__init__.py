"""Imports of providers' catalogues: price rules, and the tools that are known already.

May import the rest of `catalogue` and what is below it.
"""
