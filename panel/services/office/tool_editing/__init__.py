"""Parts of the tool editor: the order form, and changes that take effect at a date.

May import the rest of `office` and what is below it.
"""
