"""What the server of `warm_python` has ready: the libraries, the product, and what each of its apps computes again."""

import gc
import tempfile
from pathlib import Path

import granian.cli

import panel.worker
from panel.application import create_app
from tests.support import databases, shared_start

__all__ = ("granian", "panel")

gc.disable()
shared_start.share()
with tempfile.TemporaryDirectory() as folder:
    databases.close(create_app(databases.settings_for(Path(folder))))
gc.freeze()
gc.enable()
