"""Help pages: markdown content with its facts and worked examples, and the search index.

May import `catalogue`, `accounts`, `money` and what lies below them.
"""
