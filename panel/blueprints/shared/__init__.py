"""Shared code of blueprints: authentication, forms, htmx, template globals, navigation, CSV files.

May import services and below; no other package of blueprints.
"""
