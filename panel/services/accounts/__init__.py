"""Accounts: users, sessions, throttles, two-factor authentication and email changes.

May import `money` and what is below it.
"""
