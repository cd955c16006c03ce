"""Privacy: the export of a customer's own data, and closing an account.

May import every package of services but `office` and `platform`.
"""
