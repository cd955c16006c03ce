"""Payment methods that customers can choose, and their terms, which operators set."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import update

from panel import app_context
from panel.db import db, table_of, upsert
from panel.domain import payment
from panel.domain.errors import BadInput, BadMoney
from panel.domain.payment import BASIS_POINTS, MANUAL_KEY, MethodTerms, PaymentMethod, PaymentOption, Via
from panel.models import Catalogue, PaymentTerms
from panel.services import audit_log
from panel.services.money import deposits
from panel.services.payments import gateways, instructions

TERMS = table_of(PaymentTerms)
USUAL = MethodTerms(True, deposits.MIN_NANOS, deposits.MAX_NANOS)


def set_up() -> list[PaymentOption]:
    """All methods that are set up, on or off: the gateways first."""
    of_gateways = [PaymentOption(method, method, method.label) for method in gateways.available()]
    return [*of_gateways, *instructions.options()]


def find(key: str) -> PaymentOption | None:
    """The method with this key, on or off."""
    return next((option for option in set_up() if option.key == key), None)


def offered() -> list[PaymentOption]:
    """The methods that customers can choose. Manual payments need instructions, unless there is nothing else."""
    found = [option for option in set_up() if terms_of(option.key).is_on]
    ready = [option for option in found if not option.is_manual or option.instructions]
    return ready or found


def names() -> list[str]:
    """Names of the payment methods for visitors, without those that nobody has described."""
    return [option.label for option in offered() if not option.is_manual or option.name]


def terms_of(key: str) -> MethodTerms:
    """The terms of a method. A manual one without terms of its own has those of manual payments without a name."""
    row = db.session.get(PaymentTerms, key)
    if row is None and key.startswith(MANUAL_KEY):
        row = db.session.get(PaymentTerms, PaymentMethod.MANUAL)
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


def via(key: str, *, amount_nanos: int) -> Via:
    """How a deposit of this amount by this method is paid; without a key, by the first manual one that is on.

    Raises BadInput for the method, BadMoney for the amount.
    """
    option = next((each for each in offered() if each.key == key or (not key and each.is_manual)), None)
    if option is None:
        raise BadInput("This payment method isn’t available. Choose another one.", field="method")
    terms = terms_of(option.key)
    if not terms.minimum_nanos <= amount_nanos <= terms.maximum_nanos:
        least, most = map(app_context.money_text, (terms.minimum_nanos, terms.maximum_nanos))
        raise BadMoney(f"A deposit by this method is from {least} to {most}.", field="amount")
    unit = payment.nanos_per_minor_unit(app_context.settings().currency)
    costs = Via(
        option.method,
        fee_nanos=terms.fee(amount_nanos, unit_nanos=unit),
        bonus_nanos=terms.bonus(amount_nanos, unit_nanos=unit),
        name=option.name,
        terms=terms,
    )
    gateway = gateways.available().get(option.method)
    return costs if gateway is None else replace(costs, is_live=gateway.is_live, account=gateway.account)


def change(key: str, terms: MethodTerms, *, actor: str, now: datetime) -> None:
    """Set the terms of a method, for deposits requested from now on. Raises BadInput or BadMoney for a field."""
    _check(terms)
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
    row = upsert(TERMS).values(method=key, **values)
    db.session.execute(row.on_conflict_do_update(index_elements=["method"], set_=values))
    # Visitors' pages name the methods, and are cached under this version.
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    db.session.expire_all()
    detail = ", ".join(f"{name} {value}" for name, value in values.items() if name != "changed_at")
    audit_log.write("payment methods change", actor=actor, subject=f"payment method {key}", detail=detail, now=now)


def _check(terms: MethodTerms) -> None:
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
