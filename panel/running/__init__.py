"""How the product runs on one machine: processes, and what ties their lives together."""
