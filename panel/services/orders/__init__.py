"""Orders: placing, history, dispatch, sync, transitions, refunds, refills and cancellations.

May import `catalogue` and what is below it.
"""
