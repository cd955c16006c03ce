"""Payments: the methods, what a payment gateway reports, and whether a report fits what we asked for."""

import re
from dataclasses import dataclass
from enum import StrEnum

from panel.domain.money import NANOS_PER_UNIT, AmountFormat, shown


class PaymentMethod(StrEnum):
    """How a deposit is paid. Manual payments are confirmed by an operator, the others by their gateway."""

    MANUAL = "manual"
    PRETEND_CARD = "pretend_card"
    STRIPE = "stripe"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    PaymentMethod.MANUAL: "Manual payment",
    PaymentMethod.PRETEND_CARD: "Pretend card",
    PaymentMethod.STRIPE: "Card",
}


class PaymentReportKind(StrEnum):
    """Outcome of a payment, as its gateway reports it."""

    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    # Nothing that concerns us, such as a payment page that was opened.
    OTHER = "other"

    @property
    def takes_back(self) -> bool:
        """Whether the gateway took money back from us."""
        return self in (PaymentReportKind.REFUNDED, PaymentReportKind.DISPUTED)


@dataclass(frozen=True, slots=True)
class PaymentReport:
    """A gateway's report about a payment. `amount_nanos`: paid, refunded in total so far, or disputed.

    A report may lack ids that its gateway doesn't tell: a dispute names the payment, but not our reference.
    """

    kind: PaymentReportKind
    amount_nanos: int
    currency: str
    is_live: bool
    account: str = ""
    checkout_id: str = ""
    payment_id: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True)
class RequestedPayment:
    """The payment that we asked the gateway to collect."""

    amount_nanos: int
    currency: str
    is_live: bool
    account: str = ""


def mismatch(asked: RequestedPayment, report: PaymentReport) -> str:
    """Why the report does not fit what we asked for, as a sentence; empty when it fits."""
    if report.is_live != asked.is_live:
        mode, wanted = _mode(report.is_live), _mode(asked.is_live)
        return f"It is from the gateway’s {mode} mode, and we asked in {wanted} mode."
    if report.account != asked.account:
        return "It is from another account at the gateway."
    if report.currency != asked.currency:
        return f"Its currency is {report.currency or 'missing'}, and we asked for {asked.currency}."
    written = AmountFormat(asked.currency)
    if report.kind is PaymentReportKind.PAID and report.amount_nanos != asked.amount_nanos:
        paid, wanted = (shown(nanos, written=written) for nanos in (report.amount_nanos, asked.amount_nanos))
        return f"Its amount is {paid}, and we asked for {wanted}."
    if report.kind.takes_back and not 0 < report.amount_nanos <= asked.amount_nanos:
        back, paid = (shown(nanos, written=written) for nanos in (report.amount_nanos, asked.amount_nanos))
        return f"It takes back {back} of {paid}."
    return ""


def due_back(credited_nanos: int, *, paid_nanos: int, refunded_nanos: int, disputed_nanos: int) -> int:
    """How much of what was credited is to be taken back in total: the share of the payment that was taken back.

    What was credited may be less than what was paid, by a fee, or more, by a bonus.
    """
    returned = min(paid_nanos, refunded_nanos + disputed_nanos)
    return credited_nanos * returned // paid_nanos


BASIS_POINTS = 10_000
NANOS_PER_CENT = NANOS_PER_UNIT // 100
MANUAL_KEY = "manual-"


@dataclass(frozen=True, slots=True)
class PaymentOption:
    """A method that customers choose. `key` names it in addresses, forms, and the table of terms.

    Manual payments have one option for each method that the instructions name; `instructions` are its paragraphs.
    """

    method: PaymentMethod
    key: str
    label: str
    instructions: tuple[tuple[str, ...], ...] = ()

    @property
    def is_manual(self) -> bool:
        return self.method is PaymentMethod.MANUAL

    @property
    def name(self) -> str:
        """The name from the instructions; empty for all others."""
        return self.label if self.key.startswith(MANUAL_KEY) else ""


def manual_key(name: str) -> str:
    """The key of a manual method: it stays the same however its name is spaced, capitalized or punctuated."""
    return MANUAL_KEY + ("-".join(re.findall(r"[^\W_]+", name.casefold())) or name.encode().hex())


@dataclass(frozen=True, slots=True)
class PaidParts:
    """Parts of a payment: the amount for the balance and our fee, and the bonus on top."""

    amount_nanos: int
    fee_nanos: int
    bonus_nanos: int


@dataclass(frozen=True, slots=True)
class MethodTerms:
    """Terms of a payment method: its limits, our fee, and a bonus from an amount on. Basis points are 0.01 %."""

    is_on: bool
    minimum_nanos: int
    maximum_nanos: int
    fee_basis_points: int = 0
    fee_nanos: int = 0
    bonus_basis_points: int = 0
    bonus_from_nanos: int = 0

    @property
    def has_fee(self) -> bool:
        return self.fee_basis_points > 0 or self.fee_nanos > 0

    @property
    def has_costs(self) -> bool:
        """Whether the balance gets another amount than what is paid."""
        return self.has_fee or self.bonus_basis_points > 0

    @property
    def fee_percent(self) -> str:
        return _percent(self.fee_basis_points)

    @property
    def bonus_percent(self) -> str:
        return _percent(self.bonus_basis_points)

    def fee(self, amount_nanos: int, *, unit_nanos: int) -> int:
        """The fee for this amount, rounded up once to the currency's smallest unit."""
        share = -(-amount_nanos * self.fee_basis_points // BASIS_POINTS)
        return -(-share // unit_nanos) * unit_nanos + self.fee_nanos

    def bonus(self, amount_nanos: int, *, unit_nanos: int) -> int:
        """The bonus for this amount, rounded down once to the currency's smallest unit."""
        if amount_nanos < self.bonus_from_nanos:
            return 0
        return amount_nanos * self.bonus_basis_points // BASIS_POINTS // unit_nanos * unit_nanos

    def of_payment(self, paid_nanos: int, *, unit_nanos: int) -> PaidParts:
        """Parts of a payment: the largest amount in whole cents that it covers with its fee, and the bonus.

        A payment of exactly what was asked for gives exactly the amount asked for.
        """
        if not self.has_fee:
            return PaidParts(paid_nanos, 0, self.bonus(paid_nanos, unit_nanos=unit_nanos))
        amount = (paid_nanos - self.fee_nanos) * BASIS_POINTS // (BASIS_POINTS + self.fee_basis_points)
        amount = amount // NANOS_PER_CENT * NANOS_PER_CENT
        while amount > 0 and amount + self.fee(amount, unit_nanos=unit_nanos) > paid_nanos:
            amount -= NANOS_PER_CENT
        amount = max(0, amount)
        return PaidParts(amount, paid_nanos - amount, self.bonus(amount, unit_nanos=unit_nanos))


NO_TERMS = MethodTerms(is_on=True, minimum_nanos=0, maximum_nanos=0)


@dataclass(frozen=True, slots=True)
class Via:
    """How a deposit is paid: the method, the gateway's mode and account, our fee and the bonus.

    `name`: of a manual method; `terms`: from which fee and bonus follow when another amount arrives.
    """

    method: PaymentMethod = PaymentMethod.MANUAL
    is_live: bool = False
    account: str = ""
    fee_nanos: int = 0
    bonus_nanos: int = 0
    name: str = ""
    terms: MethodTerms = NO_TERMS


MANUAL = Via()

# Currencies whose smallest unit is not a hundredth, as gateways count them.
_WHOLE_UNITS = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THOUSANDTHS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def nanos_per_minor_unit(currency: str) -> int:
    """Nanos of the currency's smallest unit, in which gateways count amounts."""
    if currency in _WHOLE_UNITS:
        return NANOS_PER_UNIT
    return NANOS_PER_UNIT // (1000 if currency in _THOUSANDTHS else 100)


def _percent(basis_points: int) -> str:
    whole, part = divmod(basis_points, 100)
    return f"{whole}.{part:02d}".rstrip("0").rstrip(".")


def _mode(is_live: bool) -> str:
    return "live" if is_live else "test"
