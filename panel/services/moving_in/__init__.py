"""Moving in from another panel: its users, balances, tools and open orders, from CSV files, all or nothing.

May import `password_reset` and what is below it.
"""
