"""Public catalogue: the list of tools, and a page for each tool with its terms."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue
from flask_login import current_user

from panel.blueprints.shared import structured_data, tool_state
from panel.blueprints.shared.auth import login_required
from panel.blueprints.shared.forms import whole_number
from panel.blueprints.shared.own_prices import own_prices
from panel.blueprints.shared.template_globals import me
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import settlement
from panel.domain.settlement import Settlement
from panel.domain.status import Status
from panel.services import delivery_times
from panel.services.catalogue import favorites, search_index, terms_history, tool_search, tool_texts
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tool_search import ToolFilter
from panel.services.catalogue.tool_texts import ToolText
from panel.services.catalogue.tools import ToolOffer
from panel.services.platform import figures
from panel.settings import ROOT

bp = Blueprint("tools", __name__)

REFILL_CHOICES = {"yes": True, "no": False}
BY_PRICE = "price"

# Quantity of the example order, if the tool's limits allow it.
EXAMPLE_QUANTITY = 1_000


@bp.record_once
def load_texts(state: BlueprintSetupState) -> None:
    state.app.extensions["tool_texts"] = tool_texts.load(ROOT / "content" / "tools")


@bp.get("/tools")
def listed() -> ResponseReturnValue:
    words, category = request.args.get("q", "").strip(), request.args.get("category", "")
    start = whole_number(request.args.get("start", ""), digits=6) or 0
    refill = request.args.get("refill", "")
    refill = refill if refill in REFILL_CHOICES else ""
    sort = BY_PRICE if request.args.get("sort") == BY_PRICE else ""
    chosen, only_favorites = _favorites(), request.args.get("favorites") == "yes"
    wanted = ToolFilter(
        words, category, REFILL_CHOICES.get(refill), by_price=bool(sort), only=chosen if only_favorites else None
    )
    index = search_index.current()
    found = tool_search.search(wanted, prices=own_prices(), start=start, index=index)
    filters: dict[str, Any] = {
        "q": words or None,
        "category": category or None,
        "refill": refill or None,
        "sort": sort or None,
        "favorites": "yes" if only_favorites else None,
    }
    now, tools, changed_at = utc_now(), found.tools, index.changed_at
    return render_template(
        "tools/list.html",
        tools=tools,
        categories=[("", "All categories"), *((each, each) for each in index.categories)],
        has_places=index.has_places,
        search=words,
        category=category,
        refill=refill,
        sort=sort,
        favorites=chosen,
        only_favorites=only_favorites,
        is_filtered=any(filters.values()),
        states=tool_state.of_tools(tools),
        first_path=url_for(".listed", **filters) if start else "",
        more_path=url_for(".listed", **filters, start=found.next_start) if found.next_start else "",
        started={tool.tool_id: delivery_times.time_to_start(tool.tool_id, now=now) for tool in tools},
        completed={tool.tool_id: delivery_times.time_to_completion(tool.tool_id, now=now) for tool in tools},
        days=delivery_times.WINDOW.days,
        changed_at=changed_at,
        data=structured_data.tools_page(changed=changed_at.date() if changed_at else None),
        # The canonical URL of a filtered list has its filters, its page and no other parameters.
        canonical=structured_data.absolute(url_for(".listed", **filters, start=start or None)),
    )


@bp.get("/tools/<slug>")
def show(slug: str) -> ResponseReturnValue:
    tool = catalogue_tools.find(slug)
    if tool is None:
        abort(404)
    now, tool = utc_now(), own_prices().of(tool)
    quantity, log = _example_quantity(tool), terms_history.terms_log(tool.tool_id)
    return render_template(
        "tools/show.html",
        tool=tool,
        state=tool_state.of_tool(tool),
        text=_texts().get(tool.slug),
        statuses=catalogue_tools.statuses_of(tool),
        prices=[(each, tool.charge_nanos(each)) for each in sorted({tool.minimum, quantity, tool.maximum})],
        quantity=quantity,
        charge_nanos=tool.charge_nanos(quantity),
        undelivered=_undelivered(quantity),
        partial=_partial(tool, quantity=quantity),
        started=delivery_times.time_to_start(tool.tool_id, now=now),
        completed=delivery_times.time_to_completion(tool.tool_id, now=now),
        groups=figures.completion_groups(tool.tool_id, now=now),
        days=delivery_times.WINDOW.days,
        log=list(zip(log, [*log[1:], None], strict=True)),
        is_favorite=tool.tool_id in _favorites(),
        order_path=f"/orders/new?tool={tool.slug}",
        data=structured_data.tool_page(tool),
    )


@bp.post("/tools/<slug>/favorite")
@login_required
def choose(slug: str) -> ResponseReturnValue:
    """Add the tool to the customer's favorites, or remove it."""
    tool = catalogue_tools.find(slug)
    if tool is None:
        abort(404)
    with transaction():
        if request.form.get("favorite") == "no":
            favorites.drop(current_user.id, tool.tool_id)
        else:
            favorites.choose(current_user.id, tool.tool_id, now=utc_now())
    return redirect(url_for("tools.show", slug=slug), code=303)


def _favorites() -> frozenset[int]:
    person = me()
    return favorites.tool_ids(person.id) if person else frozenset()


def _texts() -> Mapping[str, ToolText]:
    texts: Mapping[str, ToolText] = current_app.extensions["tool_texts"]
    return texts


def _example_quantity(tool: ToolOffer) -> int:
    return min(max(EXAMPLE_QUANTITY, tool.minimum), tool.maximum)


def _undelivered(quantity: int) -> int:
    """Undelivered count in the example of a Partial order: 40 % of the quantity."""
    return quantity * 2 // 5


def _partial(tool: ToolOffer, *, quantity: int) -> Settlement:
    return settlement.settle(
        Status.PARTIAL,
        quantity=quantity,
        remains=_undelivered(quantity),
        price_micros_per_thousand=tool.price_micros_per_thousand,
    )
