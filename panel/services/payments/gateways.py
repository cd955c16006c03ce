"""The payment gateways that are set up."""

from panel import app_context, payments
from panel.domain.errors import BadInput
from panel.domain.payment import PaymentMethod
from panel.payments.base import PaymentGateway
from panel.services.money.deposits import Via


def available() -> dict[PaymentMethod, PaymentGateway]:
    """Each gateway by its method, in the order in which customers see them."""
    return app_context.once_per_app(
        "panel.payment_gateways",
        lambda: payments.gateways(app_context.settings(), secret_key=app_context.secret_key()),
    )


def via(word: str) -> Via:
    """How a deposit by this method is paid. Raises BadInput for a method that isn't offered."""
    if not word or word == PaymentMethod.MANUAL:
        return Via()
    gateway = available().get(PaymentMethod(word)) if word in list(PaymentMethod) else None
    if gateway is None:
        raise BadInput("This payment method isn’t available. Choose another one.", field="method")
    return Via(PaymentMethod(word), gateway.is_live, gateway.account)
