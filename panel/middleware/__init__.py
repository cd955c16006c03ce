"""Middleware: response caches in front of Flask, and the session lookup that they share.

May import everything from `blueprints` down. Nothing but `application` and `processes` imports it.
"""

from flask import Flask

from panel.middleware.api_read_cache import ApiReadCache
from panel.middleware.live_poll_304 import LivePoll304
from panel.middleware.log_in_turns import LogInTurns
from panel.middleware.order_history_cache import OrderHistoryCache
from panel.middleware.public_page_cache import PublicPageCache
from panel.middleware.session_lookup import SessionLookup


def init_app(app: Flask) -> None:
    """Wrap the WSGI application in the caches, the most frequently used one outermost."""
    sessions = SessionLookup(app)
    site = PublicPageCache(ApiReadCache(app.wsgi_app, app), sessions, app)
    app.wsgi_app = LogInTurns(LivePoll304(OrderHistoryCache(site, sessions), sessions))  # type: ignore[method-assign]
