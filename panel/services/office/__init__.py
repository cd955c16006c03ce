"""The operators' office: queues, tables, actions on orders, approvals and reviews.

May import `platform`, `privacy` and what is below them.
"""
