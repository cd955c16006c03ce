"""Settings that operators change in the office: which ones, their stored values, and the values in force.

The environment wins over a stored value, and a stored value over the default. May import `audit_log`, models and below.
"""
