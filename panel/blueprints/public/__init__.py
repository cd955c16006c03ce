"""Pages for everybody: home, tools, help, search, platform status, and files for machines.

May import `shared`, services and below.
"""
