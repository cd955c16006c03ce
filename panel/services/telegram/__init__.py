"""Telegram: the outbox of messages, and the chats that people link to their accounts.

May import the modules at the root of services.
"""
