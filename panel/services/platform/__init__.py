"""How the platform does: measured by the worker, told on the status page, with incidents in people's words."""
