"""Accounts: users, sessions, throttles, two-factor authentication, email changes and password resets.

May import `money`, `mail` and the modules at the root of services.
"""
