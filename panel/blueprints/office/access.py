"""Office access control: operators who logged in with two factors. Everyone else gets a 404."""

from flask import Blueprint, Flask, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.shared.htmx import logged_out, wants_fragment
from panel.blueprints.shared.template_globals import me

PREFIX = "/office"


def office_blueprint(name: str) -> Blueprint:
    """A blueprint whose every route lies under /office, and so behind the gate."""
    return Blueprint(f"office_{name}", __name__, url_prefix=PREFIX)


def init_app(app: Flask) -> None:
    """Stand before all else that looks at a request: not even a missing token or a wrong method tells of a page."""
    app.before_request(require_operator)


def require_operator() -> ResponseReturnValue | None:
    """404 to all but operators; an operator who has not shown the second factor on this device is sent to do so."""
    # With more slashes in front it would be told to come again with one.
    if not f"/{request.path.lstrip('/')}/".startswith(f"{PREFIX}/"):
        return None
    person = me()
    if person is None or not person.is_operator:
        abort(404)
    if person.has_second_factor:
        return None
    # Who has one and is signed in has shown it: this operator has none yet, and sets it up first.
    if wants_fragment():
        return logged_out()
    wanted = request.full_path.removesuffix("?") if request.method in ("GET", "HEAD") else "/office"
    return redirect(url_for("second_factor.show", next=wanted), code=303)
