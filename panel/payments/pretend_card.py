"""Pretend card: a payment gateway for demonstrations, on a page of our own. No money moves and nothing is called.

It takes the same way as a real gateway: a signed event is received, stored and worked on later.
"""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256

from panel.domain.payment import PaymentReport, PaymentReportKind
from panel.payments.base import Checkout, ForgedEvent, GatewayEvent, ListedPayment, PaymentRequest

SIGNATURE_HEADER = "Pretend-Signature"
CHECKOUT = "pretend_"


class PretendCard:
    """The pretend gateway. `key` signs its events; its payment pages are at `url`, by our reference."""

    is_live = False
    account = ""

    def __init__(self, *, key: str, url: str) -> None:
        self._key = hmac.new(key.encode(), b"pretend card", sha256).digest()
        self._url = url

    def start(self, wanted: PaymentRequest) -> Checkout:
        return Checkout(f"{CHECKOUT}{wanted.reference}", self._url.format(reference=wanted.reference))

    def press(self, reference: str, *, is_paid: bool, amount_nanos: int, currency: str) -> tuple[bytes, str]:
        """The gateway's event when the customer pays or declines: its body and signature."""
        event = {
            "id": f"pretend_event_{secrets.token_hex(8)}",
            "type": "payment.paid" if is_paid else "payment.declined",
            "reference": reference,
            "amount_nanos": amount_nanos,
            "currency": currency,
        }
        body = json.dumps(event).encode()
        return body, self._sign(body)

    def read_event(self, body: bytes, headers: Mapping[str, str]) -> GatewayEvent:
        if not hmac.compare_digest(self._sign(body).encode(), headers.get(SIGNATURE_HEADER, "").encode()):
            raise ForgedEvent("The signature is wrong.")
        event = json.loads(body)
        reference: str = event["reference"]
        report = PaymentReport(
            PaymentReportKind.PAID if event["type"] == "payment.paid" else PaymentReportKind.FAILED,
            event["amount_nanos"],
            event["currency"],
            is_live=False,
            checkout_id=f"{CHECKOUT}{reference}",
            payment_id=f"pretend_payment_{reference}",
            reference=reference,
        )
        return GatewayEvent(event["id"], event["type"], report)

    def look_up(self, checkout_id: str) -> PaymentReport | None:
        """It keeps nothing: whatever it knows has come as an event."""
        return None

    def payments(self, since: datetime, until: datetime) -> Iterable[ListedPayment] | None:
        return None

    def _sign(self, body: bytes) -> str:
        return hmac.new(self._key, body, sha256).hexdigest()
