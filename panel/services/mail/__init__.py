"""Mail: the outbox, templates, and notifications about orders and account security.

May import only the modules at the root of services.
"""
