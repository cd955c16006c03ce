"""Color theme: light, dark or system, stored in a cookie. Works without scripts.

The cookie holds `light` or `dark` and identifies nobody. Cached pages are stored once per theme.
"""

from datetime import timedelta

from flask import Blueprint, current_app, make_response, redirect, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from werkzeug.local import LocalProxy

from panel.blueprints.shared.auth import is_local_page
from panel.blueprints.shared.template_globals import has_page
from panel.security.request_identity import THEME_COOKIE, THEMES, theme_of

COOKIE_LIFETIME = timedelta(days=365)
CHOICES = (("", "System"), ("light", "Light"), ("dark", "Dark"))

bp = Blueprint("appearance", __name__)


@bp.record_once
def add_template_globals(state: BlueprintSetupState) -> None:
    state.app.jinja_env.globals.update(
        theme=LocalProxy(theme), theme_choices=CHOICES, page_to_come_back_to=page_to_come_back_to
    )


@bp.get("/appearance")
def choose() -> ResponseReturnValue:
    """Save the theme and redirect back. A GET, so that cached pages need no CSRF token."""
    wanted, back = request.args.get("theme", ""), request.args.get("next", "")
    response = make_response(redirect(back if is_local_page(back) else "/", code=303))
    if wanted in THEMES:
        is_https = current_app.config["PANEL"].is_https
        response.set_cookie(
            THEME_COOKIE, wanted, max_age=COOKIE_LIFETIME, secure=is_https, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(THEME_COOKIE)
    return response


def theme() -> str:
    """`light` or `dark`, or empty for the system's setting."""
    return theme_of(request.environ)


def page_to_come_back_to() -> str:
    """The current page if a GET can show it again, otherwise the home page."""
    if request.method in ("GET", "HEAD"):
        return request.full_path.removesuffix("?")
    return request.path if has_page(request.path) else "/"
