"""Price groups in the office: discount and fixed prices. A change of prices is confirmed with its effect first."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from flask import flash, redirect, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office import confirmation, layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import NotFound, PanelError
from panel.services.catalogue import customer_prices, tools
from panel.services.catalogue.customer_prices import PriceList
from panel.services.office import price_groups

bp = office_blueprint("price_groups", reads=Action.LOOK, changes=Action.MANAGE_CATALOGUE)

INDEX = "/office/price-groups"
MAX_BELOW_COST = 5


@bp.get("/price-groups")
def index() -> ResponseReturnValue:
    return _list()


@bp.post("/price-groups")
def add() -> ResponseReturnValue:
    try:
        with transaction():
            group_id = price_groups.add(typed("name"), typed("percent"), actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _list(error), status_of(error)
    flash("The group is added. Give it to customers on their pages.")
    return redirect(f"{INDEX}/{group_id}", code=303)


@bp.get("/price-groups/<int:group_id>")
def show(group_id: int) -> ResponseReturnValue:
    return _page(group_id)


@bp.post("/price-groups/<int:group_id>")
def change(group_id: int) -> ResponseReturnValue:
    """Change name and discount, after their effect was shown."""

    def effect() -> Confirmation:
        points, row = price_groups.parse_percent(typed("percent")), price_groups.find(group_id)
        name = price_groups.checked_name(typed("name"), group_id=group_id)
        prices = replace(customer_prices.of_group(group_id), basis_points=points)
        old, new = (f"{percent or 0}%" for percent in (row.percent, price_groups.plain_percent(points)))
        facts = [("Name", name), ("Percent off", f"{old} → {new}")]
        return _confirmation(group_id, "Check the discount", facts, prices)

    return _do(
        group_id,
        effect,
        lambda: price_groups.change(group_id, typed("name"), typed("percent"), actor=layout.actor(), now=utc_now()),
        "The group is saved.",
    )


@bp.post("/price-groups/<int:group_id>/prices")
def set_price(group_id: int) -> ResponseReturnValue:
    """Set a fixed price, after its effect was shown."""

    def effect() -> Confirmation:
        offer, price = price_groups.parse_fixed(typed("tool"), typed("rate"))
        prices = customer_prices.of_group(group_id)
        prices = replace(prices, fixed={**prices.fixed, offer.tool_id: (price, offer.is_package)})
        rate = prices.of(offer).rate
        facts = [("Tool", offer.name), ("List price", offer.rate), ("The group’s price", rate)]
        return _confirmation(group_id, "Check the fixed price", facts, prices)

    return _do(
        group_id,
        effect,
        lambda: price_groups.set_price(group_id, typed("tool"), typed("rate"), actor=layout.actor(), now=utc_now()),
        "The fixed price is saved.",
    )


@bp.post("/price-groups/<int:group_id>/prices/<int:price_id>/removal")
def remove_price(group_id: int, price_id: int) -> ResponseReturnValue:
    return _do(
        group_id,
        None,
        lambda: price_groups.remove_price(group_id, price_id, actor=layout.actor(), now=utc_now()),
        "The fixed price is removed. The group’s discount applies to this tool again.",
    )


@bp.post("/price-groups/<int:group_id>/removal")
def remove(group_id: int) -> ResponseReturnValue:
    """Remove the group, after a page that shows whose prices change."""
    row = price_groups.find(group_id)
    if not confirmation.is_confirmed():
        lead = "Its customers pay list prices again from now on. Orders keep the price they were placed at."
        facts = [("Group", row.name), ("Customers in it", row.members), ("Fixed prices", row.prices)]
        return confirmation.page(
            Confirmation("Check the removal", facts, "Remove group", f"{INDEX}/{group_id}", lead, is_danger=True)
        )
    with transaction():
        price_groups.remove(group_id, actor=layout.actor(), now=utc_now())
    flash("The group is removed.")
    return redirect(INDEX, code=303)


def _confirmation(group_id: int, title: str, facts: Sequence[tuple[str, object]], prices: PriceList) -> Confirmation:
    row = price_groups.find(group_id)
    below = price_groups.below_cost(prices, tools.listed())
    shown: list[tuple[str, object]] = [("Customers in the group", row.members)]
    if below:
        shown.append(("Tools below cost", len(below)))
        shown += [("Below cost", price_groups.shown_cost(each)) for each in below[:MAX_BELOW_COST]]
    lead = "This price applies to new orders from now on. Orders keep the price they were placed at."
    return Confirmation(title, [*facts, *shown], "Save prices", f"{INDEX}/{group_id}", lead, is_danger=bool(below))


def _do(
    group_id: int, effect: Callable[[], Confirmation] | None, save: Callable[[], None], message: str
) -> ResponseReturnValue:
    """Show the effect first; then run the action and show the group again, or the group with the error."""
    try:
        if effect is not None and not confirmation.is_confirmed():
            return confirmation.page(effect())
        with transaction():
            save()
    except NotFound:
        raise
    except PanelError as error:
        return _page(group_id, error), status_of(error)
    flash(message)
    return redirect(f"{INDEX}/{group_id}", code=303)


def _list(error: PanelError | None = None) -> str:
    return render_template(
        "office/price_groups/index.html",
        rows=price_groups.listed(),
        typed={name: typed(name) for name in ("name", "percent")},
        errors=by_field(error),
    )


def _page(group_id: int, error: PanelError | None = None) -> str:
    row = price_groups.find(group_id)
    names = ("name", "percent", "tool", "rate")
    given = {name: typed(name) for name in names}
    is_of_group = "name" in request.form
    offers = tools.listed_all()
    sold = sorted((offer for offer in offers if offer.is_offered), key=lambda offer: (offer.name, offer.tool_id))
    return render_template(
        "office/price_groups/show.html",
        row=row,
        prices=price_groups.fixed_prices(group_id, offers),
        below=price_groups.below_cost(customer_prices.of_group(group_id), sold),
        typed=given if is_of_group else {**given, "name": row.name, "percent": row.percent},
        errors=by_field(error),
    )
