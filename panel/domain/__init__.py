"""Domain rules in plain Python: statuses, money, prices, reports, links. No Flask, no SQL, no clock.

May import nothing else of the panel.
"""
