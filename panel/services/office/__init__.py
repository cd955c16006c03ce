"""The operators' office: queues, tables, actions on orders, approvals and reviews.

May import `moving_in`, `platform`, `privacy` and what is below them.
"""
