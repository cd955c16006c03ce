"""Payment methods that customers can choose, and their terms, which operators set."""

from datetime import datetime

from panel import app_context
from panel.db import db, table_of, upsert
from panel.domain import payment
from panel.domain.errors import BadInput, BadMoney
from panel.domain.payment import BASIS_POINTS, MANUAL, MethodTerms, PaymentMethod, Via
from panel.models import PaymentTerms
from panel.services import audit_log
from panel.services.money import deposits
from panel.services.payments import gateways

TERMS = table_of(PaymentTerms)
USUAL = MethodTerms(True, deposits.MIN_NANOS, deposits.MAX_NANOS)


def set_up() -> list[PaymentMethod]:
    """All methods that are set up, on or off: the gateways first."""
    return [*gateways.available(), PaymentMethod.MANUAL]


def terms_of(method: PaymentMethod) -> MethodTerms:
    """The terms of a method."""
    row = db.session.get(PaymentTerms, method)
    if row is None:
        return USUAL
    return MethodTerms(
        row.is_on,
        row.minimum_nanos,
        row.maximum_nanos,
        row.fee_basis_points,
        row.fee_nanos,
        row.bonus_basis_points,
        row.bonus_from_nanos,
    )


def via(word: str, *, amount_nanos: int) -> Via:
    """How a deposit of this amount by this method is paid. Raises BadInput for the method, BadMoney for the amount."""
    method = PaymentMethod(word) if word in list(PaymentMethod) else PaymentMethod.MANUAL if not word else None
    if method not in set_up() or not (terms := terms_of(method)).is_on:
        raise BadInput("This payment method isn’t available. Choose another one.", field="method")
    currency = app_context.settings().currency
    if not terms.minimum_nanos <= amount_nanos <= terms.maximum_nanos:
        least, most = map(app_context.money_text, (terms.minimum_nanos, terms.maximum_nanos))
        raise BadMoney(f"A deposit by this method is from {least} to {most}.", field="amount")
    gateway = gateways.available().get(method)
    if gateway is None:
        return MANUAL
    unit = payment.nanos_per_minor_unit(currency)
    fee, bonus = terms.fee(amount_nanos, unit_nanos=unit), terms.bonus(amount_nanos, unit_nanos=unit)
    return Via(method, gateway.is_live, gateway.account, fee_nanos=fee, bonus_nanos=bonus)


def change(method: PaymentMethod, terms: MethodTerms, *, actor: str, now: datetime) -> None:
    """Set the terms of a method, for deposits requested from now on. Raises BadInput or BadMoney for a field."""
    _check(method, terms)
    values = {
        "is_on": terms.is_on,
        "minimum_nanos": terms.minimum_nanos,
        "maximum_nanos": terms.maximum_nanos,
        "fee_basis_points": terms.fee_basis_points,
        "fee_nanos": terms.fee_nanos,
        "bonus_basis_points": terms.bonus_basis_points,
        "bonus_from_nanos": terms.bonus_from_nanos,
        "changed_at": now,
    }
    row = upsert(TERMS).values(method=method, **values)
    db.session.execute(row.on_conflict_do_update(index_elements=["method"], set_=values))
    db.session.expire_all()
    detail = ", ".join(f"{name} {value}" for name, value in values.items() if name != "changed_at")
    audit_log.write("payment methods change", actor=actor, subject=f"payment method {method}", detail=detail, now=now)


def _check(method: PaymentMethod, terms: MethodTerms) -> None:
    if not deposits.MIN_NANOS <= terms.minimum_nanos <= deposits.MAX_NANOS:
        raise BadMoney("The minimum must be from 1 to 10000.", field="minimum")
    if not terms.minimum_nanos <= terms.maximum_nanos <= deposits.MAX_NANOS:
        raise BadMoney("The maximum must be from the minimum to 10000.", field="maximum")
    unit = payment.nanos_per_minor_unit(app_context.settings().currency)
    if terms.fee_nanos % unit or terms.fee_nanos > deposits.MAX_NANOS:
        raise BadMoney("Enter a fee with at most two decimals.", field="fee")
    for field, points in (("fee_percent", terms.fee_basis_points), ("bonus_percent", terms.bonus_basis_points)):
        if not 0 <= points <= BASIS_POINTS // 2:
            raise BadInput("Enter a percentage from 0 to 50 with at most two decimals.", field=field)
    if method is PaymentMethod.MANUAL and (terms.has_fee or terms.bonus_basis_points):
        raise BadInput("Manual payments have no fee and no bonus: what arrives is added.", field="fee_percent")
