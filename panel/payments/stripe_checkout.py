"""Stripe: card payments on Stripe's own page (Checkout Sessions), through the library `stripe`.

Events are verified by the library on the raw body, with its tolerance of five minutes. Which of them mean something:
a session that is paid, failed or has expired, a charge that is refunded, and a dispute that takes or returns money.
"""

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from panel.domain.payment import PaymentReport, PaymentReportKind, nanos_per_minor_unit
from panel.payments.base import (
    Checkout,
    ForgedEvent,
    GatewayEvent,
    GatewayUnavailable,
    ListedPayment,
    PaymentRequest,
)

if TYPE_CHECKING:
    from stripe import StripeClient

SIGNATURE_HEADER = "Stripe-Signature"
TOLERANCE_SECONDS = 300
# To connect, and between two parts of an answer. A customer waits for the first one.
TIMEOUT_SECONDS = (3.0, 8.0)
LIVE_KEYS = ("sk_live_", "rk_live_")
KEYS = (*LIVE_KEYS, "sk_test_", "rk_test_")
# An inquiry of a bank, which takes no money yet.
INQUIRY = "warning_"
PAGE = 100

_SESSION_KINDS = {
    "checkout.session.completed": PaymentReportKind.PAID,
    "checkout.session.async_payment_succeeded": PaymentReportKind.PAID,
    "checkout.session.async_payment_failed": PaymentReportKind.FAILED,
    "checkout.session.expired": PaymentReportKind.EXPIRED,
}
_DISPUTE_KINDS = {
    "charge.dispute.created": PaymentReportKind.DISPUTED,
    "charge.dispute.funds_withdrawn": PaymentReportKind.DISPUTED,
    "charge.dispute.funds_reinstated": PaymentReportKind.DISPUTE_WON,
}


class StripeCheckout:
    """The gateway of one Stripe account. `url`: another address of the API, for tests."""

    # Only events of accounts that are connected to ours name an account.
    account = ""

    def __init__(self, *, secret_key: str, webhook_secret: str, url: str = "") -> None:
        self.is_live = secret_key.startswith(LIVE_KEYS)
        self._secret_key, self._webhook_secret, self._url = secret_key, webhook_secret, url
        # Loaded now, so that the first event doesn't wait for it.
        importlib.import_module("stripe")

    def start(self, wanted: PaymentRequest) -> Checkout:
        params = _session_params(wanted)
        # Other parameters under the same key would be refused.
        digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
        with _answers():
            session = self._client().v1.checkout.sessions.create(
                params, {"idempotency_key": f"{wanted.reference}-{digest}"}
            )
        if not session.url:
            raise GatewayUnavailable("Stripe made a payment page without an address.")
        return Checkout(session.id, session.url)

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        import stripe

        try:
            stripe.WebhookSignature.verify_header(
                body, headers.get(SIGNATURE_HEADER), self._webhook_secret, TOLERANCE_SECONDS
            )
        except stripe.SignatureVerificationError as error:
            raise ForgedEvent("Its signature is missing, wrong or older than five minutes.") from error
        except ValueError as error:
            raise ForgedEvent("Its body isn’t text.") from error
        try:
            return _event(json.loads(body))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ForgedEvent("Its body can’t be read as an event.") from error

    def look_up(self, checkout_id: str) -> PaymentReport | None:
        with _answers():
            session = self._client().v1.checkout.sessions.retrieve(checkout_id).to_dict()
            if session["status"] == "expired":
                kind = PaymentReportKind.EXPIRED
            elif session["payment_status"] == "paid":
                kind = PaymentReportKind.PAID
            else:
                return None
            return _of_session(session, kind, account="")

    def payments(self, since: datetime, until: datetime) -> Iterator[ListedPayment]:
        params: Any = {"created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())}, "limit": PAGE}
        with _answers():
            charges = self._client().v1.charges.list(params)
            for charge in charges.auto_paging_iter():
                found = charge.to_dict()
                if found["paid"] and found["status"] == "succeeded":
                    yield _listed(found)

    def _client(self) -> "StripeClient":
        """The library's client. The library is large, so panels without cards never load it."""
        import stripe

        return stripe.StripeClient(
            self._secret_key,
            base_addresses={"api": self._url} if self._url else None,
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            max_network_retries=1,
        )


@contextmanager
def _answers() -> Iterator[None]:
    """Everything that can go wrong with a call, as one exception."""
    import stripe

    try:
        yield
    except stripe.StripeError as error:
        raise GatewayUnavailable(f"Stripe: {type(error).__name__}: {error.user_message or error}"[:300]) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise GatewayUnavailable(f"Stripe gave an answer that can’t be read: {error!r}"[:300]) from error


def _session_params(wanted: PaymentRequest) -> Any:
    unit = nanos_per_minor_unit(wanted.currency)
    if wanted.amount_nanos % unit:
        raise GatewayUnavailable(f"The amount is finer than the smallest unit of {wanted.currency}.")
    price = {
        "currency": wanted.currency.lower(),
        "unit_amount": wanted.amount_nanos // unit,
        "product_data": {"name": wanted.title},
    }
    metadata = {"reference": wanted.reference}
    email = {"customer_email": wanted.email} if wanted.email.isascii() else {}
    return {
        "mode": "payment",
        "client_reference_id": wanted.reference,
        "line_items": [{"quantity": 1, "price_data": price}],
        "metadata": metadata,
        # The charge has it too, so that a refund names our reference.
        "payment_intent_data": {"metadata": metadata, "description": wanted.title},
        "success_url": wanted.return_url,
        "cancel_url": wanted.return_url,
        **email,
    }


def _event(event: dict[str, Any]) -> GatewayEvent:
    kind: str = event["type"]
    about, account = event["data"]["object"], event.get("account") or ""
    if kind in _SESSION_KINDS:
        report = _of_session(about, _SESSION_KINDS[kind], account=account)
    elif kind == "charge.refunded":
        report = _of_charge(about, PaymentReportKind.REFUNDED, about["amount_refunded"], account=account)
    elif kind in _DISPUTE_KINDS and not about["status"].startswith(INQUIRY):
        report = _of_charge(about, _DISPUTE_KINDS[kind], about["amount"], account=account)
    else:
        report = PaymentReport(PaymentReportKind.OTHER, 0, "", event["livemode"], account)
    if report.is_live != event["livemode"]:
        raise ValueError("the event and its object differ in their mode")
    return GatewayEvent(str(event["id"]), kind, report)


def _of_session(session: dict[str, Any], kind: PaymentReportKind, *, account: str) -> PaymentReport:
    if kind is PaymentReportKind.PAID and session["payment_status"] != "paid":
        # A slow method, such as a bank debit: another event tells when it is paid.
        kind = PaymentReportKind.OTHER
    currency = session["currency"].upper()
    return PaymentReport(
        kind,
        _nanos(session["amount_total"], currency),
        currency,
        session["livemode"],
        account,
        checkout_id=session["id"],
        payment_id=_id(session.get("payment_intent")),
        reference=session.get("client_reference_id") or "",
    )


def _of_charge(about: dict[str, Any], kind: PaymentReportKind, amount: int, *, account: str) -> PaymentReport:
    """A report about a charge or a dispute of one. Only a charge has our metadata."""
    currency = about["currency"].upper()
    reference = about["metadata"].get("reference", "") if about["object"] == "charge" else ""
    payment_id = _id(about.get("payment_intent"))
    return PaymentReport(
        kind,
        _nanos(amount, currency),
        currency,
        about["livemode"],
        account,
        payment_id=payment_id,
        reference=str(reference),
    )


def _listed(charge: dict[str, Any]) -> ListedPayment:
    report = _of_charge(charge, PaymentReportKind.PAID, charge["amount"], account="")
    refunded = _nanos(charge["amount_refunded"], report.currency)
    return ListedPayment(report, refunded, bool(charge["disputed"]), datetime.fromtimestamp(charge["created"], UTC))


def _id(value: Any) -> str:
    """An id, also where the object itself was expanded."""
    return str(value["id"] if isinstance(value, dict) else value or "")


def _nanos(amount: int, currency: str) -> int:
    if type(amount) is not int:
        raise ValueError("an amount that is no whole number")
    return amount * nanos_per_minor_unit(currency)
