"""Endpoint for events of payment gateways. It reads and sets no cookie, and answers before anything is done.

An event is verified on its raw body and stored; a job works on it. So the gateway gets its answer within milliseconds,
and sends an event again that was not stored.
"""

from flask import Blueprint, Flask, Response, abort, current_app, request

from panel import security
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.payment import PaymentMethod
from panel.payments.base import ForgedEvent, PaymentGateway
from panel.services.payments import events, gateways

bp = Blueprint("payment_events", __name__)

FORGED_A_MINUTE = 60


def init_app(app: Flask) -> None:
    security.csrf.exempt(bp)
    if app.config["PANEL"].stripe_secret_key:
        with app.app_context():
            gateways.available()


@bp.post("/payments/events/<method>")
def receive(method: str) -> Response:
    """200 once the event is stored, 400 if it isn't the gateway's."""
    gateway = _gateway_or_404(method)
    if (request.content_length or 0) > events.MAX_EVENT_BYTES:
        abort(413)
    body = request.get_data(cache=False)
    try:
        event = gateway.read_event(body, dict(request.headers))
    except ForgedEvent as error:
        return _refuse(PaymentMethod(method), why=str(error))
    with transaction():
        events.receive(PaymentMethod(method), event, raw=body.decode(errors="replace"), now=utc_now())
    return _plain("Received.\n", 200)


def _gateway_or_404(method: str) -> PaymentGateway:
    gateway = next((found for known, found in gateways.available().items() if known == method), None)
    return abort(404) if gateway is None else gateway


def _refuse(method: PaymentMethod, *, why: str) -> Response:
    use = security.hit_rate_limit(
        current_app, f"forged-event:{security.client_network()}", most_a_minute=FORGED_A_MINUTE
    )
    if use.is_over:
        return _plain("Too many requests.\n", 429)
    with transaction():
        events.note_forged(method, why=why, now=utc_now())
    return _plain("The signature is not valid.\n", 400)


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")
