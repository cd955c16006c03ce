"""Alerts of operators: what is true now, what they were notified of, and which alerts each of them wants.

May import `moving_in`, `platform`, `privacy` and what is below them.
"""
