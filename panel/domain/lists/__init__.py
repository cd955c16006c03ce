"""Filters of lists and ranges of dates, as addresses give them. Imports only `domain`."""
