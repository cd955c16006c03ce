"""Email notification settings, and the unsubscribe link in each notification."""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import token_page
from panel.db import transaction
from panel.domain.errors import LinkIsSpent
from panel.domain.notification_kinds import Notice
from panel.security import csrf
from panel.services.accounts import users
from panel.services.mail import notifications

bp = Blueprint("notices", __name__)


@bp.get("/account/notices")
@login_required
def show() -> ResponseReturnValue:
    return render_template(
        "account/notifications/show.html",
        choices=notifications.preferences(current_user.id),
        user=users.find(current_user.id),
    )


@bp.post("/account/notices")
@login_required
def choose() -> ResponseReturnValue:
    wanted = [kind for kind in Notice if kind in request.form]
    with transaction():
        notifications.set_preferences(current_user.id, wanted=wanted)
    flash("Your email notifications are saved.")
    return redirect(url_for("notices.show"), code=303)


@bp.get("/unsubscribe/<token>")
def show_unsubscribe(token: str) -> ResponseReturnValue:
    """One button. Opening the page changes nothing: mail scanners open links too."""
    read = notifications.read_unsubscribe(token)
    if read is None:
        return _unknown()
    return token_page("account/notifications/unsubscribe.html", kinds=_labels(read[1]))


@bp.post("/unsubscribe/<token>")
@csrf.exempt
def unsubscribe(token: str) -> ResponseReturnValue:
    """Unsubscribe. Mail programs call this by themselves (RFC 8058), without a cookie: the token is the right."""
    read = notifications.read_unsubscribe(token)
    if read is None:
        return _unknown()
    user_id, kinds = read
    with transaction():
        notifications.switch_off(user_id, kinds)
    return token_page("account/notifications/unsubscribed.html", kinds=_labels(kinds))


def _labels(kinds: frozenset[Notice]) -> list[str]:
    return [kind.label for kind in Notice if kind in kinds]


def _unknown() -> Response:
    return token_page("account/notifications/unknown.html", error=LinkIsSpent("This link no longer works."))
