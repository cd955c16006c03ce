"""Add funds: request a deposit, follow it live until it is confirmed, and return to the order that waits for it."""

from datetime import timedelta

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from markupsafe import Markup

from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import by_field
from panel.blueprints.shared.htmx import is_live, pause_or_resume, region_or_304
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import ExpiredForm, NotFound, PanelError
from panel.services.accounts.sessions import PageVersions
from panel.services.money import deposits
from panel.services.money.deposits import OwnDeposit
from panel.services.orders import waiting_order
from panel.services.orders.waiting_order import WaitingQuote
from panel.services.page_version import page_etag

bp = Blueprint("deposit", __name__, url_prefix="/balance")

REFUSALS_SHOWN = timedelta(days=30)


@bp.get("/add")
@login_required
def show_add() -> ResponseReturnValue:
    return _add_page(request.args.get("amount", ""))


@bp.post("/add")
@login_required
def add() -> ResponseReturnValue:
    amount = request.form.get("amount", "")
    try:
        amount_nanos = deposits.parse_amount(amount)
        with transaction():
            deposit = deposits.request_deposit(current_user.id, amount_nanos=amount_nanos, now=utc_now())
            reference = deposit.reference
    except PanelError as error:
        return _add_page(amount, error), 422
    return redirect(url_for("deposit.show", reference=reference, next=_next() or None), code=303)


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed amount and the error; logged-out users log in first."""
    return _add_page(request.form.get("amount", ""), error), error.http_status


@bp.get("/deposits/<reference>")
@login_required
def show(reference: str) -> ResponseReturnValue:
    versions = _versions()
    deposit = _own_or_404(reference)
    if "live" in request.args:
        return pause_or_resume(_address(reference))
    region = _region(deposit, versions)
    return render_template(
        "balance/deposit.html", deposit=deposit, region=region, is_live=is_live(), address=_address(reference)
    )


@bp.get("/deposits/<reference>/live")
@login_required
def live(reference: str) -> ResponseReturnValue:
    """The live region, or 304 while nothing has changed."""
    versions = _versions()
    deposit = _own_or_404(reference)
    return region_or_304(_shown(reference, versions), lambda: _region(deposit, versions))


def _add_page(amount: str, error: PanelError | None = None) -> str:
    now = utc_now()
    return render_template(
        "balance/add.html",
        amount=amount,
        errors=by_field(error),
        waiting=_waiting_order(),
        next=_next(),
        open_deposits=deposits.open_requests(current_user.id),
        refused_deposits=deposits.refused_requests(current_user.id, since=now - REFUSALS_SHOWN),
        instructions=_instructions(),
        quick_amounts=deposits.QUICK_AMOUNTS,
        confirmed=deposits.time_to_confirmation(now=now),
        days=deposits.MEASURED.days,
        minimum_nanos=deposits.MIN_NANOS,
        maximum_nanos=deposits.MAX_NANOS,
    )


def _region(deposit: OwnDeposit, versions: PageVersions) -> Markup:
    """The live region: what to pay while the deposit waits, and its outcome afterwards."""
    html = render_template(
        "balance/_live_deposit.html",
        deposit=deposit,
        instructions=_instructions(),
        waiting=_waiting_order(),
        next=_next(),
        confirmed=deposits.time_to_confirmation(now=utc_now()),
        days=deposits.MEASURED.days,
        live_url=url_for("deposit.live", reference=deposit.reference, next=_next() or None),
        shown=_shown(deposit.reference, versions) if deposit.is_waiting and is_live() else None,
    )
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _own_or_404(reference: str) -> OwnDeposit:
    try:
        return deposits.find_own(reference, customer_id=current_user.id)
    except NotFound:
        abort(404)


def _instructions() -> list[list[str]]:
    return deposits.payment_instructions(current_app.config["PANEL"].instance)


def _next() -> str:
    """The `next` path of the waiting order, passed through unchecked; `waiting_order` validates it."""
    return request.values.get("next", "")


def _waiting_order() -> WaitingQuote | None:
    return waiting_order.find(_next(), customer_id=current_user.id, now=utc_now())


def _address(reference: str) -> str:
    return url_for("deposit.show", reference=reference, next=_next() or None)


def _versions() -> PageVersions:
    # Read first: anything read later can only be newer, and the next poll then fetches it again.
    return PageVersions(current_user.id, current_user.state_version, current_user.catalogue_version)


def _shown(reference: str, versions: PageVersions) -> str:
    return page_etag(versions, address=url_for("deposit.live", reference=reference, next=_next() or None))
