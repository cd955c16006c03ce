"""Providers of a tool in the office: which ones its orders try, in which order."""

from collections.abc import Callable

from flask import abort, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, NotFound, PanelError
from panel.domain.provider_kind import ProviderKind
from panel.services import test_orders
from panel.services.catalogue import routes
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.providers import registry as provider_registry

bp = office_blueprint("tool_routes", reads=Action.LOOK, changes=Action.MANAGE_CATALOGUE)

_FIELDS = ("route_provider", "service", "route_rate")


@bp.get("/tools/<slug>/providers")
def show(slug: str) -> ResponseReturnValue:
    return _page(_found(slug))


@bp.post("/tools/<slug>/providers")
def add(slug: str) -> ResponseReturnValue:
    provider, service, rate = (typed(name) for name in _FIELDS)
    return _do(
        slug,
        lambda: routes.add(slug, provider=provider, service=service, rate=rate, actor=layout.actor(), now=utc_now()),
        f"{provider} is added.",
    )


@bp.post("/tools/<slug>/providers/order")
def choose_order(slug: str) -> ResponseReturnValue:
    """Try the providers by their cost, or in the order of the list."""
    is_cheapest_first = typed("cheapest_first") == "yes"
    return _do(
        slug,
        lambda: routes.set_cheapest_first(slug, is_cheapest_first, actor=layout.actor(), now=utc_now()),
        "The order of the providers is saved.",
    )


@bp.post("/tools/<slug>/providers/<int:route_id>/up")
def move_up(slug: str, route_id: int) -> ResponseReturnValue:
    return _do(
        slug,
        lambda: routes.move_up(slug, route_id, actor=layout.actor(), now=utc_now()),
        "The order of the providers is saved.",
    )


@bp.post("/tools/<slug>/providers/<int:route_id>/removal")
def remove(slug: str, route_id: int) -> ResponseReturnValue:
    return _do(
        slug,
        lambda: routes.remove(slug, route_id, actor=layout.actor(), now=utc_now()),
        "The provider is removed. It keeps the orders that it has.",
    )


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The page with what was typed, and the error."""
    return _page(_found((request.view_args or {})["slug"]), error), error.http_status


def _do(slug: str, save: Callable[[], None], message: str) -> ResponseReturnValue:
    """Run the action and show the list again, or the page with the error."""
    tool = _found(slug)
    try:
        with transaction():
            save()
    except NotFound:
        raise
    except PanelError as error:
        return _page(tool, error), status_of(error)
    flash(message)
    return redirect(f"/office/tools/{slug}/providers", code=303)


def _found(slug: str) -> ToolOffer:
    return catalogue_tools.find_any(slug) or abort(404)


def _page(tool: ToolOffer, error: PanelError | None = None) -> str:
    found = routes.of_tool(tool.tool_id)
    taken = {route.provider_name for route in found} | test_orders.OWN_PROVIDERS
    choices = [
        (each.name, f"{each.name} ({each.kind})")
        for each in provider_registry.listed()
        if each.name not in taken and (each.kind == ProviderKind.SIMULATED) == tool.is_simulated
    ]
    return render_template(
        "office/tools/providers.html",
        tool=tool,
        routes=found,
        price_nanos=tool.charge_nanos(1 if tool.is_package else routes.THOUSAND),
        choices=[("", "Choose a provider"), *choices],
        typed={name: typed(name) for name in _FIELDS},
        errors=by_field(error),
    )
