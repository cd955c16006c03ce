"""Office pages about the running of the panel itself, such as the maintenance switch.

May import the office's own modules, `shared`, services and below.
"""
