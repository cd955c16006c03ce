"""Price list of a page: list prices, or those of the customer's price group. Read at most once per request."""

from flask import Flask, g

from panel.blueprints.shared.template_globals import me
from panel.services.catalogue import customer_prices
from panel.services.catalogue.customer_prices import PriceList


def init_app(app: Flask) -> None:
    """Register the template global."""
    app.jinja_env.globals["has_own_prices"] = has_own_prices


def own_prices() -> PriceList:
    if "own_prices" not in g:
        person = me()
        g.own_prices = customer_prices.of_customer(person.id if person else None)
    found: PriceList = g.own_prices
    return found


def has_own_prices() -> bool:
    """Whether a page shows the prices of the customer's group."""
    return own_prices().group_id is not None
