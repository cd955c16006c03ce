"""Jobs: sweeps over rows that are due, run by the worker and safe to repeat, and the calls to providers.

May import services and below; only `worker` and commands import them.
"""
