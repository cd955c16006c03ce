"""Stripe's own library against the stand-in: the payment page, signed events, look-ups and the list of payments."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import stripe

from panel.domain.payment import PaymentReport, PaymentReportKind
from panel.payments.base import ForgedEvent, GatewayUnavailable, PaymentRequest
from panel.payments.stripe_checkout import SIGNATURE_HEADER, StripeCheckout
from tests.support.stripe_server import KEY, WEBHOOK_SECRET, StripeServer, stripe_server

WANTED = PaymentRequest(
    "T-234567", 27_500_000_000, "USD", "Panel: deposit T-234567", "customer@example.com", "https://panel.example/back"
)


@pytest.fixture(scope="module")
def running() -> Iterator[StripeServer]:
    with stripe_server() as server:
        yield server


@pytest.fixture
def server(running: StripeServer) -> StripeServer:
    running.__init__(running.url)
    return running


@pytest.fixture
def gateway(server: StripeServer) -> StripeCheckout:
    return StripeCheckout(secret_key=KEY, webhook_secret=WEBHOOK_SECRET, url=server.url)


def read(gateway: StripeCheckout, signed: tuple[bytes, str]) -> PaymentReport:
    return gateway.read_event(signed[0], {SIGNATURE_HEADER: signed[1]}).report


def test_a_payment_page_is_made_once_for_our_reference(gateway: StripeCheckout, server: StripeServer) -> None:
    first, again = gateway.start(WANTED), gateway.start(WANTED)

    assert first == again and first.url.startswith("https://checkout.stripe.com/")
    session = server.sessions[first.id]
    assert (session["amount_total"], session["currency"], session["mode"]) == (2750, "usd", "payment")
    sent = server.calls[0][1]
    assert sent["payment_intent_data[metadata][reference]"] == sent["client_reference_id"] == "T-234567"
    assert sent["success_url"] == sent["cancel_url"] == WANTED.return_url


def test_amounts_are_counted_in_the_smallest_unit_of_the_currency(
    gateway: StripeCheckout, server: StripeServer
) -> None:
    yen = PaymentRequest("T-YEN", 1_000 * 10**9, "JPY", "Panel", "", "https://panel.example/")

    assert server.sessions[gateway.start(yen).id]["amount_total"] == 1000
    assert gateway.look_up("cs_test_1") is None
    with pytest.raises(GatewayUnavailable, match="finer"):
        gateway.start(PaymentRequest("T-SEN", 15 * 10**8, "JPY", "Panel", "", "https://panel.example/"))


def test_events_are_read_as_reports(gateway: StripeCheckout, server: StripeServer) -> None:
    gateway.start(WANTED)
    session = server.pay("T-234567")

    paid = read(gateway, server.event("checkout.session.completed", session))
    refunded = read(gateway, server.event("charge.refunded", server.refund(session, 1000)))
    disputed = read(gateway, server.event("charge.dispute.created", server.dispute(session)))

    payment = session["payment_intent"]
    amount = WANTED.amount_nanos
    assert paid == PaymentReport(PaymentReportKind.PAID, amount, "USD", False, "", session["id"], payment, "T-234567")
    assert refunded == PaymentReport(PaymentReportKind.REFUNDED, 10 * 10**9, "USD", False, "", "", payment, "T-234567")
    assert disputed == PaymentReport(PaymentReportKind.DISPUTED, amount, "USD", False, "", "", payment, "")


def test_sessions_without_payment_are_ignored(gateway: StripeCheckout, server: StripeServer) -> None:
    gateway.start(WANTED)
    unpaid = dict(next(iter(server.sessions.values())), status="complete")
    session = server.pay("T-234567")
    inquiry = server.dispute(session, status="warning_needs_response")

    kinds = [
        read(gateway, server.event(kind, about)).kind
        for kind, about in (
            ("checkout.session.completed", unpaid),
            ("charge.dispute.created", inquiry),
            ("payment_intent.created", session),
            ("checkout.session.expired", unpaid),
            ("checkout.session.async_payment_failed", unpaid),
        )
    ]

    other = PaymentReportKind.OTHER
    assert kinds == [other, other, other, PaymentReportKind.EXPIRED, PaymentReportKind.FAILED]


def test_an_event_of_a_connected_account_names_it(gateway: StripeCheckout, server: StripeServer) -> None:
    gateway.start(WANTED)
    signed = server.event("checkout.session.completed", server.pay("T-234567"), account="acct_other")

    assert read(gateway, signed).account == "acct_other" != gateway.account


def test_forged_old_and_garbled_events_are_refused(gateway: StripeCheckout, server: StripeServer) -> None:
    gateway.start(WANTED)
    session = server.pay("T-234567")
    body, header = server.event("checkout.session.completed", session)
    old = server.event("checkout.session.completed", session, at=time.time() - 301)
    recent = server.event("checkout.session.completed", session, at=time.time() - 290)
    other_mode = server.event("checkout.session.completed", session, livemode=True)
    scheme = header.replace("v1=", "v0=")

    def signed(text: str) -> tuple[bytes, str]:
        return text.encode(), stripe.WebhookSignature.generate_signature_header(text, WEBHOOK_SECRET)

    forged = [
        (body.replace(b"2750", b"9999"), header),
        (body, ""),
        (body, "t=,v1="),
        (body, scheme),
        (b"\xff" + body, header),
        old,
        other_mode,
        signed("[]"),
        signed("{}"),
        signed("no event"),
        signed(json.dumps({"id": "evt", "type": "charge.refunded", "livemode": False, "data": {"object": {}}})),
    ]
    for each in forged:
        with pytest.raises(ForgedEvent):
            read(gateway, each)
    other = StripeCheckout(secret_key=KEY, webhook_secret="whsec_other")
    with pytest.raises(ForgedEvent):
        read(other, (body, header))
    assert read(gateway, recent).kind is PaymentReportKind.PAID


def test_a_payment_page_is_looked_up(gateway: StripeCheckout, server: StripeServer) -> None:
    checkout = gateway.start(WANTED)
    assert gateway.look_up(checkout.id) is None

    session = server.pay("T-234567")
    paid = gateway.look_up(checkout.id)
    session.update(status="expired", payment_status="unpaid")
    expired = gateway.look_up(checkout.id)

    assert paid is not None and paid.kind is PaymentReportKind.PAID and paid.payment_id == session["payment_intent"]
    assert expired is not None and expired.kind is PaymentReportKind.EXPIRED


def test_the_list_of_payments_has_every_page(
    gateway: StripeCheckout, server: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.payments.stripe_checkout.PAGE", 2)
    for number in range(5):
        reference = f"T-{number}"
        gateway.start(PaymentRequest(reference, 10**10, "USD", "Panel", "", "https://panel.example/"))
        session = server.pay(reference)
    server.refund(session, 250)
    server.dispute(session)
    server.charges[1].update(paid=False, status="failed")
    now = datetime.now(UTC)

    found = list(gateway.payments(now - timedelta(hours=1), now + timedelta(hours=1)))

    assert [each.report.reference for each in found] == ["T-4", "T-2", "T-1", "T-0"]
    assert found[0].refunded_nanos == 25 * 10**8 and found[0].is_disputed and not found[1].is_disputed


def test_a_gateway_that_is_away_or_refuses_is_unavailable(gateway: StripeCheckout, server: StripeServer) -> None:
    with pytest.raises(GatewayUnavailable, match="InvalidRequestError"):
        gateway.look_up("cs_unknown")
    with pytest.raises(GatewayUnavailable, match="AuthenticationError"):
        StripeCheckout(secret_key="sk_test_wrong", webhook_secret="whsec_x", url=server.url).start(WANTED)
    server.is_down = True
    with pytest.raises(GatewayUnavailable):
        gateway.start(WANTED)
    nobody = StripeCheckout(secret_key=KEY, webhook_secret=WEBHOOK_SECRET, url="http://127.0.0.1:9")
    with pytest.raises(GatewayUnavailable, match="APIConnectionError"):
        nobody.start(WANTED)


def test_the_mode_is_that_of_the_key() -> None:
    assert StripeCheckout(secret_key="sk_live_x", webhook_secret="whsec_x").is_live
    assert StripeCheckout(secret_key="rk_live_x", webhook_secret="whsec_x").is_live
    assert not StripeCheckout(secret_key="rk_test_x", webhook_secret="whsec_x").is_live
