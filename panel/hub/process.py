"""Entry point of the hub's process, started by `flask hub` and by `python app.py`."""

from flask import Flask

from panel import db as database
from panel import settings as settings_module
from panel.blueprints.shared.signed_sessions import SignedSessions
from panel.hub.application import Hub
from panel.processes.parent_death import die_with_supervisor
from panel.security import instance_folder, session_cookie_name
from panel.settings import ROOT


def create_hub() -> Hub:
    """The hub with the settings of the environment. It needs the database and the key of the cookies, not the site."""
    settings = settings_module.load()
    instance_folder.prepare(settings)
    app = Flask("panel.hub", root_path=str(ROOT), static_folder=None)
    app.config.update(
        SECRET_KEY=settings_module.secret_key(settings),
        SESSION_COOKIE_NAME=session_cookie_name(settings),
        PANEL=settings,
        MIGRATIONS=ROOT / "panel" / "migrations",
    )
    app.session_interface = SignedSessions()
    database.init_app(app, url=settings.database, is_web=True)
    return Hub(app)


die_with_supervisor()
application = create_hub()
