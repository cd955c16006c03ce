"""Privacy: the export of a customer's own data, and closing an account.

May import `password_reset` and what is below it.
"""
