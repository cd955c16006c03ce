"""Payment methods in the office: on or off, limits, fee and bonus of each."""

from flask import abort, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, BadMoney, ExpiredForm, PanelError
from panel.domain.money import NANOS_PER_UNIT
from panel.domain.payment import MethodTerms, PaymentOption
from panel.services.payments import methods

bp = office_blueprint("payment_methods", reads=Action.LOOK, changes=Action.MANAGE_SETTINGS)

_NANOS_PER_BASIS_POINT = NANOS_PER_UNIT // 100
_NAMES = ("is_on", "minimum", "maximum", "fee_percent", "fee", "bonus_percent", "bonus_from")


@bp.get("/payment-methods")
def index() -> ResponseReturnValue:
    rows = [(option, methods.terms_of(option.key)) for option in methods.set_up()]
    return render_template("office/payment_methods/index.html", rows=rows)


@bp.get("/payment-methods/<method>", action=Action.MANAGE_SETTINGS)
def show(method: str) -> ResponseReturnValue:
    return _page(_known_or_404(method))


@bp.post("/payment-methods/<method>")
def change(method: str) -> ResponseReturnValue:
    known = _known_or_404(method)
    try:
        terms = _typed_terms()
        with transaction():
            methods.change(known.key, terms, actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(known, error), status_of(error)
    flash(f"“{known.label}” is saved. It holds for deposits requested from now on.")
    return redirect("/office/payment-methods", code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with what was typed, and the error."""
    return _page(_known_or_404((request.view_args or {})["method"]), error), error.http_status


def _known_or_404(key: str) -> PaymentOption:
    return methods.find(key) or abort(404)


def _typed_terms() -> MethodTerms:
    return MethodTerms(
        typed("is_on") == "yes",
        _amount("minimum"),
        _amount("maximum"),
        fee_basis_points=_basis_points("fee_percent"),
        fee_nanos=_amount("fee"),
        bonus_basis_points=_basis_points("bonus_percent"),
        bonus_from_nanos=_amount("bonus_from"),
    )


def _amount(name: str) -> int:
    try:
        return money.parse_nanos(typed(name) or "0")
    except BadMoney as error:
        raise BadMoney(error.message, field=name) from None


def _basis_points(name: str) -> int:
    try:
        points, rest = divmod(money.parse_nanos(typed(name) or "0"), _NANOS_PER_BASIS_POINT)
    except BadMoney:
        points, rest = 0, 1
    if rest:
        raise BadInput("Enter a percentage from 0 to 50 with at most two decimals.", field=name)
    return points


def _page(method: PaymentOption, error: PanelError | None = None) -> str:
    return render_template(
        "office/payment_methods/show.html",
        method=method,
        typed={name: request.form.get(name, "") for name in _NAMES} if error is not None else _present(method),
        errors=by_field(error),
    )


def _present(method: PaymentOption) -> dict[str, str]:
    """The present terms as the form shows them."""
    terms = methods.terms_of(method.key)
    return {
        "is_on": "yes" if terms.is_on else "",
        "minimum": money.plain(terms.minimum_nanos),
        "maximum": money.plain(terms.maximum_nanos),
        "fee_percent": terms.fee_percent,
        "fee": money.plain(terms.fee_nanos),
        "bonus_percent": terms.bonus_percent,
        "bonus_from": money.plain(terms.bonus_from_nanos),
    }
