"""The demo's price groups, and a tool with two providers, one order of which went on to the second."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import NotFound
from panel.domain.provider_kind import ProviderKind
from panel.models import User
from panel.services.catalogue import routes, tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.office import price_groups
from panel.services.orders import fail_over, placing
from panel.services.orders.placing import Placing
from panel.services.providers import health
from panel.services.providers import registry as provider_registry

ACTOR = "demo"
SECOND = "second-simulator"
WITH_TWO_PROVIDERS = "product-page-visits"
# A customer of the history.
RESELLER = "demo-north-pottery@example.com"
PERCENT, FIXED = "12.5", "0.36"


def add_groups(*, now: datetime) -> None:
    """Two price groups, one with a fixed price, and a customer in one of them."""
    resellers = price_groups.add("Resellers", PERCENT, actor=ACTOR, now=now)
    price_groups.set_price(resellers, WITH_TWO_PROVIDERS, FIXED, actor=ACTOR, now=now)
    price_groups.add("Nonprofits", "5", actor=ACTOR, now=now)
    customer_id = db.session.scalars(select(User.id).where(User.email == RESELLER)).one()
    price_groups.give(customer_id, resellers, actor=ACTOR, now=now)


def add_second_provider(*, now: datetime) -> ToolOffer:
    """Give a tool a second provider, and return the tool."""
    provider_registry.add_provider(SECOND, kind=ProviderKind.SIMULATED, now=now)
    routes.add(WITH_TWO_PROVIDERS, provider=SECOND, service="usual", rate="", actor=ACTOR, now=now)
    offer = tools.find(WITH_TWO_PROVIDERS)
    if offer is None:
        raise NotFound(f"The demo's catalogue has no tool {WITH_TWO_PROVIDERS}.")
    return offer


def pass_on(customer_id: int, *, asked: Placing, offer: ToolOffer, now: datetime) -> None:
    """An order whose provider took none when it was placed, so that the second one gets it."""
    order = placing.place_order(customer_id, asked=asked, now=now)
    health.pause(offer.provider_id, reason="Maintenance at the provider.", now=now)
    fail_over.pass_on_waiting([order.id], now=now)
    health.resume(offer.provider_id, now=now)
