"""Blueprints: each route reads the request, calls one service and renders one template.

May import services and everything below. Which package may import which: `pyproject.toml`.
"""
