"""Platform status: measurements, component states, incidents and the status page.

May import `password_reset` and what is below it.
"""
