"""Help pages: markdown content with its facts and worked examples, and the search index.

May import `page_version` and what is below it.
"""
