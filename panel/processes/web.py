"""WSGI entry point of the web processes: the site with slow client protection."""

import os
import sys

from flask import Flask

from app import app, create_app
from panel.blueprints.public import styles
from panel.processes import connections
from panel.processes.file_changes import RELOAD
from panel.processes.parent_death import die_with_supervisor
from panel.processes.reload import ReloadedApp
from panel.processes.request_bodies import Slots, with_bulkhead
from panel.settings import Settings

# Threads that may wait for slow clients: with those that wait for a slot fewer than a process has (`supervisor.py`).
# One network gets enough for a program with eight concurrent calls.
WAITING_THREADS = 12
WAITING_THREADS_A_NETWORK = 6
# Requests with image files, up to 26 MB each, that a process has in memory together.
UPLOADS = 3
UPLOADS_A_NETWORK = 2
# How long a thread computes while others wait for the interpreter. With Python's 5 ms, a cached page that meets four
# pages being rendered waits 20 ms.
SWITCH_SECONDS = 0.0005

# Importing `app` did it for the process that did: web processes may be forks of one that had it imported.
die_with_supervisor()
sys.setswitchinterval(SWITCH_SECONDS)
_settings: Settings = app.config["PANEL"]
_has_proxy = _settings.trusted_proxies > 0


def _with_styles(site: Flask) -> Flask:
    """The site with the gallery of components, which developers alone are shown."""
    site.register_blueprint(styles.bp)
    return site


_is_development = RELOAD in os.environ
_site = ReloadedApp(_with_styles(app), lambda: _with_styles(create_app(is_web=True))) if _is_development else app
# A proxy in front buffers requests, and they all come from its address.
application = with_bulkhead(
    _site,
    Slots(WAITING_THREADS, None if _has_proxy else WAITING_THREADS_A_NETWORK),
    Slots(UPLOADS, None if _has_proxy else UPLOADS_A_NETWORK),
)
connections.watch(has_proxy=_has_proxy)
