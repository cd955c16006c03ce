"""The catalogue: tools and their terms, the file format, settings and texts of single tools, favorites.

May import `accounts`, `money` and the modules at the root of services.
"""
