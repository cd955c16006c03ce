"""Mail: the outbox, templates, and notifications about orders and account security.

May import `telegram` and the modules at the root of services.
"""
