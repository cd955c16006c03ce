"""The operators' office: queues, tables, actions on orders, approvals and reviews.

May import every other package of services.
"""
