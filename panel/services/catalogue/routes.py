"""Routes of a tool: the providers that can deliver it, in the order in which its orders try them.

The first is the tool's own provider. The others take an order that the ones before proved not to have:
`services/orders/fail_over.py`. With `is_cheapest_first`, the order is that of their cost.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, literal, null, select, union_all

from panel import app_context
from panel.db import db, execute_write
from panel.domain import money, resale
from panel.domain.errors import ActionRefused, BadInput, BadMoney, NotFound
from panel.domain.forms.own_fields import form_of
from panel.domain.provider_kind import ProviderKind
from panel.models import Provider, Terms, Tool, ToolRoute
from panel.services.catalogue import route_fit, tool_settings
from panel.services.catalogue.tools import ToolOffer
from panel.services.money import order_costs

MAX_ROUTES = 10
MAX_SERVICE_LENGTH = 100
THOUSAND = 1_000


@dataclass(frozen=True, slots=True)
class Route:
    """A provider of a tool. `id`: None for its own one. `cost_nanos`: of a thousand or a package; None if unknown."""

    id: int | None
    tool_id: int
    provider_id: int
    provider_name: str
    provider_kind: str
    service: str
    cost_nanos: int | None
    is_paused: bool

    @property
    def is_manual(self) -> bool:
        return self.provider_kind == ProviderKind.MANUAL


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an order is sent: the provider and its service."""

    provider_id: int
    service: str
    provider_kind: str


def of_tool(tool_id: int) -> list[Route]:
    """The tool's routes in the order in which its orders try them."""
    return of_tools([tool_id]).get(tool_id, [])


def of_tools(tool_ids: Collection[int]) -> dict[int, list[Route]]:
    """As `of_tool`, by tool."""
    columns = (Provider.id, Provider.name, Provider.kind)
    more = (Provider.paused_at, Provider.catalogue_currency, Provider.exchange_nanos)
    forms = (Terms.order_type, Terms.quantity_rule, Terms.own_fields, Tool.is_cheapest_first)
    own: Select[*tuple[Any, ...]] = select(
        null(), literal(0), Tool.id, *columns, Tool.provider_service, Tool.provider_rate_micros, *more, *forms
    ).join_from(Tool, Provider, Provider.id == Tool.provider_id)
    others: Select[*tuple[Any, ...]] = (
        select(
            ToolRoute.id, ToolRoute.position, Tool.id, *columns, ToolRoute.service, ToolRoute.rate_micros, *more, *forms
        )
        .join_from(ToolRoute, Tool, Tool.id == ToolRoute.tool_id)
        .join(Provider, Provider.id == ToolRoute.provider_id)
        .where(ToolRoute.provider_id != Tool.provider_id)
    )
    both = [part.join(Terms, Terms.id == Tool.terms_id).where(Tool.id.in_(tool_ids)) for part in (own, others)]
    found: defaultdict[int, list[tuple[tuple[bool, int, int], Route]]] = defaultdict(list)
    for row in db.session.execute(union_all(*both)):
        route = _route(row)
        by_cost = (route.cost_nanos is None, route.cost_nanos or 0) if row[-1] else (False, 0)
        found[route.tool_id].append(((*by_cost, row[1]), route))
    return {
        tool_id: [route for _key, route in sorted(routes, key=lambda each: each[0])]
        for tool_id, routes in found.items()
    }


def first(offer: ToolOffer, *, quantity: int, is_drip_feed: bool) -> Destination:
    """Where a new order of this quantity goes: to the tool's own provider, or to the cheapest that it fits."""
    fitting: list[Route] = []
    if offer.is_cheapest_first:
        form = (offer.order_type, offer.quantity_rule, offer.own_fields)
        fitting = route_fit.fitting(of_tool(offer.tool_id), form=form, quantity=quantity)
    for route in fitting:
        # Nobody delivers the runs of a drip-feed by hand.
        if not (is_drip_feed and route.is_manual):
            return Destination(route.provider_id, route.service, route.provider_kind)
    return Destination(offer.provider_id, offer.provider_service, offer.provider_kind)


def _route(row: Any) -> Route:
    route_id, _position, tool_id, provider_id, name, kind, service, rate, paused_at, currency, exchange, *form, _by = (
        row
    )
    ours = app_context.settings().currency
    worth = resale.exchange("", ours=ours, providers=currency, providers_exchange_nanos=exchange)
    is_package = form_of(*form).is_package
    cost = None
    if rate is not None and worth is not None:
        pieces = 1 if is_package else THOUSAND
        cost = order_costs.at_rate(pieces, rate_micros=rate, is_package=is_package, exchange_nanos=worth)
    return Route(route_id, tool_id, provider_id, name, kind, service, cost, paused_at is not None)


def add(slug: str, *, provider: str, service: str, rate: str, actor: str, now: datetime) -> None:
    """Add a provider as the tool's last route. `rate`: its price for a thousand or a package, in its currency; may be
    empty. Raises NotFound, BadInput about the field, or Refused."""
    tool = tool_settings.lock_tool(slug)
    found = db.session.scalar(select(Provider).where(Provider.name == provider))
    if found is None:
        raise BadInput("Choose a provider from the list.", field="route_provider")
    _check_kinds(tool, found)
    others = db.session.scalars(select(ToolRoute).where(ToolRoute.tool_id == tool.id)).all()
    if found.id in (tool.provider_id, *(route.provider_id for route in others)):
        raise BadInput(f"{found.name} is a provider of this tool already.", field="route_provider")
    if len(others) >= MAX_ROUTES:
        raise ActionRefused(f"A tool has at most {MAX_ROUTES} further providers. Nothing was added.")
    service = service.strip()
    if not 1 <= len(service) <= MAX_SERVICE_LENGTH or not service.isprintable():
        raise BadInput(f"Write the service’s number there, at most {MAX_SERVICE_LENGTH} characters.", field="service")
    _check_service(tool, found, service)
    position = max((route.position for route in others), default=0) + 1
    values = {"provider_id": found.id, "service": service, "rate_micros": _read_rate(rate, tool)}
    db.session.add(ToolRoute(tool_id=tool.id, position=position, **values))
    detail = f"{found.name}, service {service}" + (f", {rate.strip()}" if rate.strip() else "")
    tool_settings.record_change(tool, "tools route add", detail, actor=actor, now=now)


def _check_service(tool: Tool, provider: Provider, service: str) -> None:
    """Refuse a service that is known to take another form, and a currency whose rate nobody has entered."""
    terms = db.session.get_one(Terms, tool.terms_id)
    other = route_fit.other_form(provider.id, service, form=(terms.order_type, terms.quantity_rule, terms.own_fields))
    if other:
        raise BadInput(f"That service is of the type {other}, and this tool of {terms.order_type}.", field="service")
    currency, ours = provider.catalogue_currency, app_context.settings().currency
    if resale.exchange("", ours=ours, providers=currency, providers_exchange_nanos=provider.exchange_nanos) is None:
        raise BadInput(
            f"{provider.name} charges in {currency}, and what that is worth isn’t known. Import its catalogue with a "
            "rate first.",
            field="route_provider",
        )


def _check_kinds(tool: Tool, provider: Provider) -> None:
    kinds = {provider.kind, db.session.scalars(select(Provider.kind).where(Provider.id == tool.provider_id)).one()}
    if len(kinds) == 2 and ProviderKind.SIMULATED in kinds:
        raise BadInput("Simulated orders and real ones can’t stand in for each other.", field="route_provider")


def _read_rate(text: str, tool: Tool) -> int | None:
    if not text.strip():
        return None
    try:
        return money.parse_price_micros(text)
    except BadMoney as error:
        raise BadInput(error.message, field="route_rate") from error


def remove(slug: str, route_id: int, *, actor: str, now: datetime) -> None:
    """Remove a further provider; orders that it has stay there. Raises NotFound."""
    tool, route = _locked(slug, route_id)
    name = db.session.scalars(select(Provider.name).where(Provider.id == route.provider_id)).one()
    execute_write(delete(ToolRoute).where(ToolRoute.id == route_id))
    tool_settings.record_change(tool, "tools route remove", name, actor=actor, now=now)


def move_up(slug: str, route_id: int, *, actor: str, now: datetime) -> None:
    """Exchange a further provider with the one before it. Raises NotFound, or Refused for the first of them."""
    tool, route = _locked(slug, route_id)
    before = db.session.scalar(
        select(ToolRoute)
        .where(ToolRoute.tool_id == tool.id, ToolRoute.position < route.position)
        .order_by(ToolRoute.position.desc())
        .limit(1)
    )
    if before is None:
        raise ActionRefused("It comes right after the tool’s own provider already. Nothing was changed.")
    route.position, before.position = before.position, route.position
    name = db.session.scalars(select(Provider.name).where(Provider.id == route.provider_id)).one()
    tool_settings.record_change(tool, "tools route up", name, actor=actor, now=now)


def set_cheapest_first(slug: str, is_cheapest_first: bool, *, actor: str, now: datetime) -> None:
    """Choose whether orders try the providers by their cost, or in the order of the list. Raises NotFound."""
    tool = tool_settings.lock_tool(slug)
    if tool.is_cheapest_first == is_cheapest_first:
        return
    tool.is_cheapest_first = is_cheapest_first
    detail = "cheapest first" if is_cheapest_first else "in the order of the list"
    tool_settings.record_change(tool, "tools routes", detail, actor=actor, now=now)


def _locked(slug: str, route_id: int) -> tuple[Tool, ToolRoute]:
    tool = tool_settings.lock_tool(slug)
    route = db.session.scalar(select(ToolRoute).where(ToolRoute.id == route_id, ToolRoute.tool_id == tool.id))
    if route is None:
        raise NotFound("The tool has no such provider.")
    return tool, route
