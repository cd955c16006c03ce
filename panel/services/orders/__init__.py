"""Orders: placing, history, dispatch, sync, transitions, refunds, refills and cancellations.

May import `providers`, `catalogue`, `accounts`, `money`, `mail` and the modules at the root of services.
"""
