"""Filters of lists and ranges of dates, as addresses give them. May import `domain`."""
