"""Pages for everybody: home, tools, help, search, platform status, and files for machines.

May import `shared`, `api` (for its documentation), services and below.
"""
