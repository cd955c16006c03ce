"""Services: what the panel does, as plain functions by noun.

They never commit, and take `now` and the settings as arguments. May import `models`, `providers`, `db`, `security`,
`domain`. Which package may import which: `pyproject.toml`.
"""
