"""Blueprints: each route reads the request, calls one service and renders one template.

May import services and everything below. `shared` is for all of them; other packages don't import each other.
"""
