"""Imports of providers' catalogues: price rules, known tools, and the plan of what each row changes.

May import the rest of `catalogue` and what is below it.
"""
