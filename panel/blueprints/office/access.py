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
    """A blueprint whose every route lies under /office, and so behind the gate."""
    return Blueprint(f"office_{name}", __name__, url_prefix=PREFIX)


def init_app(app: Flask) -> None:
    """Stand before all else that looks at a request: not even a missing token or a wrong method tells of a page."""
    app.before_request(require_operator)


def require_operator() -> ResponseReturnValue | None:
    """404 to all but operators; an operator who has not shown the second factor on this device is sent to do so."""
    # With more leading slashes it would be redirected to the same address with one.
    if not f"/{request.path.lstrip('/')}/".startswith(f"{PREFIX}/"):
        return None
    person = me()
    if person is None and _is_form_of_operators_browser():
        return auth.ask_to_log_in()
    if person is None or not person.is_operator:
        abort(404)
    if person.has_second_factor:
        return None
    # Who has one and is signed in has shown it: this operator has none yet, and sets it up first.
    if wants_fragment():
        return logged_out()
    wanted = request.full_path.removesuffix("?") if request.method in ("GET", "HEAD") else "/office"
    return redirect(url_for("second_factor.show", next=wanted), code=303)


def shown_to_operators(render: kept_forms.Renderer) -> kept_forms.Renderer:
    """A form of the office that is shown again; to all but operators nothing is here."""

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
