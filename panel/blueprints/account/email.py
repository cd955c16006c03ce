"""Email confirmation and email change, with the pages that mailed links open."""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import auth
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field, refused, token_page
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import LinkIsSpent, PanelError, StaleForm
from panel.models import LinkPurpose
from panel.services.accounts import email_changes, throttles, users
from panel.services.accounts.email_changes import Opened

bp = Blueprint("emails", __name__)


@bp.get("/account/email")
@login_required
def show() -> ResponseReturnValue:
    return _page()


@bp.post("/account/email")
@login_required
def change() -> ResponseReturnValue:
    """Ask for another email, with the password."""
    typed = request.form.get("email", "")
    try:
        new_email = users.normalize_email(typed)
        auth.require_password(current_user, request.form.get("current_password", ""))
        with transaction():
            auth.lock_own_account()
            throttles.count_mail(current_user.id, network=auth.network(), now=utc_now())
            email_changes.ask_to_change(current_user.id, new_email, now=utc_now())
    except PanelError as error:
        return refused(_page(error, email=typed), error)
    return redirect(url_for("emails.show"), code=303)


@bp.post("/account/email/confirmation")
@login_required
def send_again() -> ResponseReturnValue:
    """Mail the link that confirms the address once more."""
    try:
        with transaction():
            email_changes.check_hour(current_user.email, LinkPurpose.CONFIRM, now=utc_now())
            throttles.count_mail(current_user.id, network=auth.network(), now=utc_now())
            is_sent = email_changes.ask_to_confirm(current_user.id, now=utc_now())
    except PanelError as error:
        return refused(_page(error), error)
    flash("The link is on its way. Older links no longer work." if is_sent else "Your email is confirmed already.")
    return redirect(url_for("emails.show"), code=303)


def _page(error: PanelError | None = None, *, email: str = "") -> str:
    return render_template(
        "account/email/show.html",
        user=users.find(current_user.id),
        waiting=email_changes.open_change(current_user.id, now=utc_now()),
        typed=email,
        errors=by_field(error),
    )


@bp.get("/confirm-email/<token>")
def show_confirmation(token: str) -> ResponseReturnValue:
    """One button. Opening the page confirms nothing: mail scanners open links too."""
    link = email_changes.find_confirmation(token, now=utc_now())
    return _ended(token) if link is None else token_page("account/email/confirm.html", email=link.email)


@bp.post("/confirm-email/<token>")
def confirm(token: str) -> ResponseReturnValue:
    try:
        with transaction():
            email_changes.confirm(token, now=utc_now())
    except LinkIsSpent:
        return _ended(token)
    return _confirmed()


def _ended(token: str) -> ResponseReturnValue:
    """The page of a link that no longer works; after a second opening, it says what the first one did."""
    return _confirmed() if email_changes.has_confirmed(token) else _spent()


def _confirmed() -> ResponseReturnValue:
    return _done("Your email is confirmed", "We’ll now email you about your orders, refills and tickets.")


@bp.get("/change-email/<token>")
def show_change(token: str) -> ResponseReturnValue:
    side = email_changes.find_side(token, now=utc_now())
    return _spent() if side is None else token_page("account/email/change.html", side=side)


@bp.post("/change-email/<token>")
def open_change(token: str) -> ResponseReturnValue:
    try:
        with transaction():
            opened = email_changes.open_side(token, now=utc_now())
    except LinkIsSpent:
        return _spent()
    if opened is Opened.TAKEN:
        taken = StaleForm("Someone else created an account with the new address in the meantime.")
        return token_page("account/email/taken.html", error=taken)
    if opened is Opened.WAITING:
        text = "Now open the link we sent to the other address to finish the change."
        return _done("This address is confirmed", text)
    return _done("Your email is changed", "Use the new one to log in.")


def _spent() -> Response:
    return token_page("account/email/spent.html", error=LinkIsSpent("This link no longer works."))


def _done(title: str, text: str) -> Response:
    return token_page("account/email/done.html", heading=title, text=text)
