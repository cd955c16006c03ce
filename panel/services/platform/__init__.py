"""Platform status: measurements, component states, incidents and the status page.

May import every package of services but `office`.
"""
