"""Middleware: response caches and checks that answer a request before Flask does.

May import everything below `blueprints` in the layers; nothing but `application` and `processes` imports it.
"""
