"""SmmPanelUS, the whole product: see ARCHITECTURE.md for its layers and packages.

Each layer may import the layers below it: `pyproject.toml` has the contract.
"""
