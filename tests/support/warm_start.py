"""What the server of `warm_python` has ready: the libraries, the product, and what each of its apps computes again."""

import gc
import tempfile
from pathlib import Path

import granian.cli

import panel.worker
from tests.support import databases, shared_start

__all__ = ("MIGRATED", "granian", "panel")

gc.disable()
shared_start.share()
with tempfile.TemporaryDirectory() as folder:
    # A migrated database without rows, for panels that have none yet.
    MIGRATED = databases.make_sqlite_template(Path(folder)).read_bytes()
gc.freeze()
gc.enable()
