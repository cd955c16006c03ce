"""API keys: list, create (the key is shown once) and revoke; the orders and the balance of test keys."""

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import auth
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.key_scope import KeyScope
from panel.domain.errors import BadInput, ExpiredForm, PanelError
from panel.security import PRIVATE
from panel.services.api import keys as api_keys
from panel.services.api import spend_caps, test_customers
from panel.services.api.keys import NewKey

bp = Blueprint("keys", __name__)

SHOWN_TEST_ORDERS = 20


@bp.get("/account/keys")
@login_required
def index() -> ResponseReturnValue:
    return _page(is_revoked="revoked" in request.args, is_reset="reset" in request.args)


@bp.post("/account/keys")
@login_required
def make() -> ResponseReturnValue:
    """Create a key and show it in this response. Only its hash is stored, so it can't be shown again."""
    newest = whole_number(request.form.get("newest", ""))
    try:
        asked = _asked()
        with transaction():
            auth.lock_own_account()
            newest_id = -1 if newest is None else newest
            made = api_keys.make(current_user.id, asked=asked, newest_id=newest_id, now=utc_now())
    except PanelError as error:
        return _page(error), error.http_status
    starts_with = made.text[: api_keys.SHOWN_CHARACTERS]
    page = render_template(
        "api_keys/made.html",
        key=made.text,
        name=asked.name.strip(),
        scope=asked.scope,
        starts_with=starts_with,
    )
    response = make_response(page)
    response.headers.extend([PRIVATE])
    return response


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed values and the error; logged-out users log in first."""
    return _page(error), error.http_status


@bp.post("/account/keys/<int:key_id>/revocation")
@login_required
def revoke(key_id: int) -> ResponseReturnValue:
    with transaction():
        api_keys.revoke(key_id, user_id=current_user.id, now=utc_now())
    return redirect(url_for("keys.index", revoked=""), code=303)


@bp.post("/account/keys/test-balance")
@login_required
def reset_test_balance() -> ResponseReturnValue:
    with transaction():
        auth.lock_own_account()
        test_customers.reset_balance(current_user.id, now=utc_now())
    return redirect(url_for("keys.index", reset="", _anchor="test-orders"), code=303)


def _asked() -> NewKey:
    """The key that the form asks for. Raises BadInput for its cap or scope."""
    form = request.form
    cap = spend_caps.parse(form.get(spend_caps.FIELD, ""))
    try:
        scope = KeyScope(form.get("scope", KeyScope.ORDER))
    except ValueError as error:
        raise BadInput("Choose what the key may do.", field="scope") from error
    return NewKey(form.get("name", ""), form.get("networks", ""), scope, cap)


def _page(error: PanelError | None = None, *, is_revoked: bool = False, is_reset: bool = False) -> str:
    """The list and the form; after an error with what was typed."""
    now = utc_now()
    return render_template(
        "api_keys/index.html",
        keys=[
            (key, KeyScope(key.scope), spend_caps.spent_today(key, now=now)) for key in api_keys.listed(current_user.id)
        ],
        newest=api_keys.newest(current_user.id),
        is_revoked=is_revoked,
        is_reset=is_reset,
        tests=test_customers.shown(current_user.id, most=SHOWN_TEST_ORDERS),
        typed=request.form if error is not None else {},
        scopes=[(scope.value, scope.label) for scope in (KeyScope.ORDER, KeyScope.READ, KeyScope.TEST)],
        errors=by_field(error),
        max_name_length=api_keys.MAX_NAME_LENGTH,
        max_keys=api_keys.MAX_KEYS,
    )
