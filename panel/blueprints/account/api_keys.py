"""API keys: list, create (the key is shown once) and revoke."""

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import auth
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import ExpiredForm, PanelError
from panel.security import PRIVATE
from panel.services.api import keys as api_keys

bp = Blueprint("keys", __name__)


@bp.get("/account/keys")
@login_required
def index() -> ResponseReturnValue:
    return _page(is_revoked="revoked" in request.args)


@bp.post("/account/keys")
@login_required
def make() -> ResponseReturnValue:
    """Create a key and show it in this response. Only its hash is stored, so it can't be shown again."""
    name, networks = request.form.get("name", ""), request.form.get("networks", "")
    newest = whole_number(request.form.get("newest", ""))
    try:
        with transaction():
            auth.lock_own_account()
            made = api_keys.make(
                current_user.id,
                name=name,
                networks=networks,
                newest_id=-1 if newest is None else newest,
                now=utc_now(),
            )
    except PanelError as error:
        return _page(error, name=name, networks=networks), error.http_status
    starts_with = made.text[: api_keys.SHOWN_SIGNS]
    page = render_template("api_keys/made.html", key=made.text, name=name.strip(), starts_with=starts_with)
    response = make_response(page)
    response.headers.extend([PRIVATE])
    return response


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed values and the error; logged-out users log in first."""
    name, networks = request.form.get("name", ""), request.form.get("networks", "")
    return _page(error, name=name, networks=networks), error.http_status


@bp.post("/account/keys/<int:key_id>/revocation")
@login_required
def revoke(key_id: int) -> ResponseReturnValue:
    with transaction():
        api_keys.revoke(key_id, user_id=current_user.id, now=utc_now())
    return redirect(url_for("keys.index", revoked=""), code=303)


def _page(error: PanelError | None = None, *, name: str = "", networks: str = "", is_revoked: bool = False) -> str:
    return render_template(
        "api_keys/index.html",
        keys=api_keys.listed(current_user.id),
        newest=api_keys.newest(current_user.id),
        is_revoked=is_revoked,
        name=name,
        networks=networks,
        errors=by_field(error),
        max_name_length=api_keys.MAX_NAME_LENGTH,
        max_keys=api_keys.MAX_KEYS,
    )
