"""Light, dark, or as the reader's system says: a choice that a cookie remembers, and that needs no script.

The cookie holds one of two words and says nothing about who reads. Pages that are kept are kept once for each.
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
    """Remember the choice, and go back to the page it was made on. A GET, so that kept pages need no token."""
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
    """`light` or `dark` where the reader chose one, else empty: then the system decides."""
    return theme_of(request.environ)


def page_to_come_back_to() -> str:
    """The page that is shown, where a GET can show it again; else the start."""
    if request.method in ("GET", "HEAD"):
        return request.full_path.removesuffix("?")
    return request.path if has_page(request.path) else "/"
