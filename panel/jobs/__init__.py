"""Background jobs: idempotent sweeps over due rows, run by the worker, and the provider calls they make.

May import services and below; only `worker` and commands import them.
"""
