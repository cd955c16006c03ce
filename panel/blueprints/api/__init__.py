"""API v2 for resellers: the endpoint, parsing, actions, errors, and its documentation.

May import `shared`, services and below.
"""
