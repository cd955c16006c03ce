"""Add funds: request a deposit, follow it live until it is confirmed, and return to the order that waits for it.

A payment through a gateway is made on the gateway's page. That the browser comes back from there proves nothing.
"""

from datetime import timedelta

import structlog
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
from panel.domain.payment import MethodTerms, PaymentMethod, manual_key
from panel.payments.base import GatewayUnavailable, PaymentRequest
from panel.services.accounts.sessions import PageVersions
from panel.services.money import deposits, own_deposits
from panel.services.money.own_deposits import OwnDeposit
from panel.services.orders import waiting_order
from panel.services.orders.waiting_order import WaitingQuote
from panel.services.page_version import page_etag
from panel.services.payments import checkouts, gateways, instructions, methods, vouchers
from panel.services.payments.methods import USUAL

bp = Blueprint("deposit", __name__, url_prefix="/balance")

REFUSALS_SHOWN = timedelta(days=30)

log = structlog.get_logger()


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
        via = methods.via(request.form.get("method", ""), amount_nanos=amount_nanos)
        with transaction():
            deposit = deposits.request_deposit(current_user.id, amount_nanos=amount_nanos, via=via, now=utc_now())
            reference = deposit.reference
            needs_page = via.method is not PaymentMethod.MANUAL and deposit.checkout_id is None
            wanted = checkouts.request_of(deposit, email=current_user.email, return_url=_return_url(reference))
    except PanelError as error:
        return _add_page(amount, error), 422
    if needs_page:
        _open_payment_page(via.method, wanted)
    return redirect(url_for("deposit.show", reference=reference, next=_next() or None), code=303)


def _open_payment_page(method: PaymentMethod, wanted: PaymentRequest) -> None:
    """Ask the gateway for a payment page. If it has none for us, the deposit's page offers to try again."""
    try:
        checkout = gateways.available()[method].start(wanted)
    except GatewayUnavailable as error:
        log.warning("payment_not_started", method=method, deposit=wanted.reference, why=str(error))
        return
    with transaction():
        checkouts.opened(wanted.reference, checkout, now=utc_now())


def _return_url(reference: str) -> str:
    return f"{current_app.config['PANEL'].public_url}{_address(reference)}"


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
    offered = methods.offered()
    asked = request.values.get("method", "")
    option = next((each for each in offered if each.key == asked), offered[0] if offered else None)
    terms = USUAL if option is None else methods.terms_of(option.key)
    return render_template(
        "balance/add.html",
        amount=amount,
        option=option,
        methods=offered,
        has_vouchers=vouchers.is_any_open(now=now),
        errors=by_field(error),
        waiting=_waiting_order(),
        next=_next(),
        open_deposits=deposits.open_requests(current_user.id),
        refused_deposits=deposits.refused_requests(current_user.id, since=now - REFUSALS_SHOWN),
        quick_amounts=[
            nanos for nanos in deposits.QUICK_AMOUNTS if terms.minimum_nanos <= nanos <= terms.maximum_nanos
        ],
        minimum_nanos=terms.minimum_nanos,
        maximum_nanos=terms.maximum_nanos,
        **(_how_to_pay(option.method, option.name, terms=terms, has_costs=terms.has_costs) if option else {}),
    )


def _how_to_pay(method: PaymentMethod, name: str, *, terms: MethodTerms | None, has_costs: bool) -> dict[str, object]:
    """Template data of a payment method's card; without `terms`, with those of the deposit."""
    described = methods.find(manual_key(name) if name else method)
    return {
        "method": method,
        "label": name,
        # A deposit from before the methods had names shows all of the instructions.
        "instructions": described.instructions if described else () if name else instructions.paragraphs(),
        "terms": terms,
        "has_costs": has_costs,
        "confirmed": own_deposits.time_to_confirmation(method, name, now=utc_now()),
        "days": own_deposits.MEASURED.days,
    }


def _region(deposit: OwnDeposit, versions: PageVersions) -> Markup:
    """The live region: what to pay while the deposit waits, and its outcome afterwards."""
    html = render_template(
        "balance/_live_deposit.html",
        deposit=deposit,
        waiting=_waiting_order(),
        next=_next(),
        live_url=url_for("deposit.live", reference=deposit.reference, next=_next() or None),
        shown=_shown(deposit.reference, versions) if deposit.is_waiting and is_live() else None,
        **_how_to_pay(deposit.method, deposit.method_name, terms=None, has_costs=deposit.has_costs),
    )
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _own_or_404(reference: str) -> OwnDeposit:
    try:
        return own_deposits.find_own(reference, customer_id=current_user.id)
    except NotFound:
        abort(404)


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
