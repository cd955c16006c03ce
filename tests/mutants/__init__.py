"""Mutation testing: small faults put into the product one at a time, each of which a test must notice.

`python -m tests.mutants` tries them all and says how many were killed; see tests/README.md.
"""
