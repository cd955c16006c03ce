"""Jobs of the catalogue: imports from providers, and events about changed tools.

May import the other jobs' helpers, services and below.
"""
