"""Office access control: the staff, logged in with two factors, each as far as the role goes. Others get a 404.

Each blueprint says which action its pages and its changes are (`panel/domain/accounts/roles.py`); a route says it
itself where it differs. A changing route for which nobody says it can't be registered.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, abort, current_app, redirect, request, url_for
from flask.sansio.app import App
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from panel.blueprints.shared import auth, kept_forms, known_devices
from panel.blueprints.shared.htmx import logged_out, wants_fragment
from panel.blueprints.shared.navigation import OFFICE_GROUPS, Link
from panel.blueprints.shared.template_globals import me
from panel.domain.accounts import roles
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm
from panel.security import reject_cross_site_requests
from panel.security.request_checks import check_fields
from panel.services.accounts import users
from panel.services.accounts.sessions import LoggedIn

PREFIX = "/office"
READS = {"GET"}
# Flask extension key: the action of each of the office's endpoints.
_ACTIONS = "panel.office_actions"


class OfficeBlueprint(Blueprint):
    """Blueprint whose routes each have an action, which the role must allow."""

    def __init__(self, name: str, *, reads: Action, changes: Action | None) -> None:
        super().__init__(f"office_{name}", __name__, url_prefix=PREFIX)
        self._reads, self._changes = reads, changes
        self.actions: dict[str, Action] = {}
        self.record_once(lambda state: _actions(state.app).update(self.actions))

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Callable[..., Any] | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Add a route. `action`: its own, if it isn't the blueprint's. Raises ValueError without one."""
        is_read = set(options.get("methods") or READS) <= READS
        action = options.pop("action", None) or (self._reads if is_read else self._changes)
        name = endpoint or getattr(view_func, "__name__", "")
        if not isinstance(action, Action) or self.actions.setdefault(f"{self.name}.{name}", action) is not action:
            raise ValueError(f"{self.name}.{name} has no action, or two: give `action=` to the route")
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


def office_blueprint(name: str, *, reads: Action, changes: Action | None = None) -> OfficeBlueprint:
    """Blueprint under /office. `reads`: action of its GET routes; `changes`: of all others."""
    return OfficeBlueprint(name, reads=reads, changes=changes)


def init_app(app: Flask) -> None:
    """Register the check before all others, so that a CSRF error or a 405 doesn't reveal that a page exists."""
    app.before_request(require_operator)
    app.jinja_env.globals.update(Action=Action, may=may, may_open=may_open, office_links=office_links)


def may(action: Action) -> bool:
    """Whether the logged-in person's role allows the action."""
    person = me()
    return person is not None and roles.may(person.role, action)


def may_open(address: str) -> bool:
    """Whether the logged-in person may open the page at this address of the office."""
    path = address.partition("?")[0].partition("#")[0]
    try:
        endpoint, _values = current_app.url_map.bind("").match(path, method="GET")
    except HTTPException:
        return False
    action = _actions(current_app).get(endpoint)
    return action is not None and may(action)


def office_links() -> list[list[Link]]:
    """The office's navigation: groups of the pages that this person may open."""
    allowed = ([link for link in links if may_open(link.path)] for links in OFFICE_GROUPS)
    return [links for links in allowed if links]


def _actions(app: App) -> dict[str, Action]:
    found: dict[str, Action] = app.extensions.setdefault(_ACTIONS, {})
    return found


def require_operator() -> ResponseReturnValue | None:
    """404 to all but the staff, who must have two-factor authentication. Raises RoleNotAllowed."""
    # Several leading slashes would be redirected to the same path with one.
    if not f"/{request.path.lstrip('/')}/".startswith(f"{PREFIX}/"):
        return None
    person = me()
    if person is None and _is_form_of_operators_browser():
        return auth.ask_to_log_in()
    if person is None or not person.is_staff:
        abort(404)
    if person.has_second_factor:
        _check_role(person)
        return None
    # A logged-in operator with a second factor has used it, so this one has none yet and sets it up first.
    if wants_fragment():
        return logged_out()
    wanted = request.full_path.removesuffix("?") if request.method in ("GET", "HEAD") else "/office"
    return redirect(url_for("second_factor.show", next=wanted), code=303)


def _check_role(person: LoggedIn) -> None:
    # Without an endpoint it is a 404 or a 405, which Flask raises next.
    if request.endpoint is not None:
        action = _actions(current_app).get(request.endpoint)
        if action is None:
            abort(404)
        roles.check(person.role, action)


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
    if request.method != "POST" or wants_fragment() or not users.has_staff(known_devices.account_ids()):
        return False
    reject_cross_site_requests()
    check_fields()
    return kept_forms.is_request_kept()
