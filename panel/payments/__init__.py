"""Payment adapters: manual payments, and gateways that take a payment on a page of theirs.

May import `db` and below, never `models` or services.
"""

from panel.domain.payment import PaymentMethod
from panel.payments.base import PaymentGateway
from panel.payments.pretend_card import PretendCard
from panel.payments.stripe_checkout import StripeCheckout
from panel.settings import Settings

PRETEND_CARD_PAGE = "/balance/deposits/{reference}/pretend-card"


def gateways(settings: Settings, *, secret_key: str) -> dict[PaymentMethod, PaymentGateway]:
    """The gateways that are set up, in the order in which customers see them."""
    found: dict[PaymentMethod, PaymentGateway] = {}
    if settings.stripe_secret_key:
        found[PaymentMethod.STRIPE] = StripeCheckout(
            secret_key=settings.stripe_secret_key,
            webhook_secret=settings.stripe_webhook_secret,
            url=settings.stripe_url,
        )
    if settings.pretend_card:
        found[PaymentMethod.PRETEND_CARD] = PretendCard(key=secret_key, url=PRETEND_CARD_PAGE)
    return found
