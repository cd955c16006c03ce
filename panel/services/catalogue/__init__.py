"""Catalogue: tools and their terms, the file format, import from providers, settings and texts of tools, favorites.

May import `providers` and what is below it.
"""
