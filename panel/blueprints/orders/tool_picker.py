"""Tool picker of the order form: search results as links that choose a tool, this customer's favorites first."""

from dataclasses import dataclass
from typing import Any

from flask import request, url_for
from flask_login import current_user

from panel.blueprints.shared import tool_state
from panel.blueprints.shared.forms import whole_number
from panel.blueprints.shared.own_prices import own_prices
from panel.blueprints.shared.tool_state import ToolState
from panel.clock import utc_now
from panel.services import delivery_times
from panel.services.catalogue import favorites, search_index, tool_search
from panel.services.catalogue.search_index import SearchIndex
from panel.services.catalogue.tool_search import ToolFilter, ToolPage
from panel.services.catalogue.tools import ToolOffer
from panel.services.delivery_times import Measure

MAX_FAVORITES = 10


@dataclass(frozen=True, slots=True)
class PickerResult:
    """A search result: the tool, and the URL that selects it and keeps the typed values."""

    tool: ToolOffer
    path: str
    state: ToolState
    started: Measure | None
    completed: Measure | None


def page(*, link: str, quantity: str) -> dict[str, object]:
    """Template data of `orders/_tool_picker.html`."""
    index = search_index.current()
    choices = [("", "All categories"), *((each, each) for each in index.categories)]
    return {"categories": choices, **results(link=link, quantity=quantity, index=index)}


def results(*, link: str, quantity: str, index: SearchIndex | None = None) -> dict[str, object]:
    """Template data of `orders/_tool_results.html`: one page of tools that match the query string's search."""
    words, category = request.args.get("q", "").strip(), request.args.get("category", "")
    start = whole_number(request.args.get("start", ""), digits=6) or 0
    chosen, index = favorites.tool_ids(current_user.id), index or search_index.current()
    first = ToolPage((), None)
    if chosen and not start:
        wanted = ToolFilter(words, category, only=chosen)
        first = tool_search.search(wanted, prices=own_prices(), most=MAX_FAVORITES, index=index)
    others = ToolFilter(words, category, without=chosen)
    found = tool_search.search(others, prices=own_prices(), start=start, index=index)
    kept: dict[str, Any] = {"link": link or None, "quantity": quantity or None}
    more: dict[str, Any] = {"q": words or None, "category": category or None, **kept}
    return {
        "search": words,
        "category": category,
        "kept": {name: value for name, value in kept.items() if value},
        "favorites": _results(first.tools, kept),
        "others": _results(found.tools, kept),
        "days": delivery_times.WINDOW.days,
        "is_first": not start,
        "first_path": url_for("ordering.new", **more) if start else "",
        "more_path": url_for("ordering.new", start=found.next_start, **more) if found.next_start else "",
    }


def _results(tools: tuple[ToolOffer, ...], kept: dict[str, Any]) -> list[PickerResult]:
    now, states = utc_now(), tool_state.of_tools(tools)
    return [
        PickerResult(
            tool,
            url_for("ordering.new", tool=tool.slug, **kept),
            states[tool.tool_id],
            delivery_times.time_to_start(tool.tool_id, now=now),
            delivery_times.time_to_completion(tool.tool_id, now=now),
        )
        for tool in tools
    ]
