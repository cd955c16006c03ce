"""The payment gateways that are set up."""

from panel import app_context, payments
from panel.domain.payment import PaymentMethod
from panel.payments.base import PaymentGateway


def available() -> dict[PaymentMethod, PaymentGateway]:
    """Each gateway by its method, in the order in which customers see them."""
    return app_context.once_per_app(
        "panel.payment_gateways",
        lambda: payments.gateways(app_context.settings(), secret_key=app_context.secret_key()),
    )
