"""Office access control: operators who logged in with two factors. Everyone else gets a 404."""

from flask import Blueprint, Flask, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import auth, kept_forms, known_devices
from panel.blueprints.shared.htmx import logged_out, wants_fragment
from panel.blueprints.shared.template_globals import me
from panel.domain.errors import ExpiredForm
from panel.security import reject_cross_site_requests
from panel.security.request_checks import check_fields
from panel.services.accounts import users

PREFIX = "/office"


def office_blueprint(name: str) -> Blueprint:
    """Blueprint under /office, whose routes `require_operator` protects."""
    return Blueprint(f"office_{name}", __name__, url_prefix=PREFIX)


def init_app(app: Flask) -> None:
    """Register the check before all others, so that a CSRF error or a 405 doesn't reveal that a page exists."""
    app.before_request(require_operator)


def require_operator() -> ResponseReturnValue | None:
    """404 to all but operators; redirects an operator without two-factor authentication to its setup."""
    # Several leading slashes would be redirected to the same path with one.
    if not f"/{request.path.lstrip('/')}/".startswith(f"{PREFIX}/"):
        return None
    person = me()
    if person is None and _is_form_of_operators_browser():
        return auth.ask_to_log_in()
    if person is None or not person.is_operator:
        abort(404)
    if person.has_second_factor:
        return None
    # A logged-in operator with a second factor has used it, so this one has none yet and sets it up first.
    if wants_fragment():
        return logged_out()
    wanted = request.full_path.removesuffix("?") if request.method in ("GET", "HEAD") else "/office"
    return redirect(url_for("second_factor.show", next=wanted), code=303)


def shown_to_operators(render: kept_forms.Renderer) -> kept_forms.Renderer:
    """Wrap a form that is shown again: a 404 to all but operators."""

    def again(error: ExpiredForm) -> ResponseReturnValue:
        kept_out = require_operator()
        return render(error) if kept_out is None else kept_out

    return again


def _is_form_of_operators_browser() -> bool:
    """Whether an operator whose session has ended sent this form.

    The browser's signed cookie of known devices names an operator's account, so it has logged in to the office before.
    """
    if request.method != "POST" or wants_fragment() or not users.has_operator(known_devices.account_ids()):
        return False
    reject_cross_site_requests()
    check_fields()
    return kept_forms.is_request_kept()
