"""Pages of a customer's orders: history, detail, new order, mass order.

May import `shared`, services and below.
"""
