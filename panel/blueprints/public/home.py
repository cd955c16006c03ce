"""Home page. It only shows figures that were measured from this panel's own orders."""

from collections.abc import Iterable
from dataclasses import dataclass

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from panel.assets.build_id import digest
from panel.blueprints.shared import htmx, structured_data
from panel.blueprints.shared.help_texts import texts
from panel.blueprints.shared.own_prices import own_prices
from panel.clock import utc_now
from panel.domain.status import Status
from panel.security.push_topics import Topic
from panel.services import delivery_times
from panel.services.catalogue import category_order
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.help.worked_examples import worked_sum
from panel.services.money import deposits
from panel.services.payments import methods
from panel.services.platform import audit_runs, latest_test_order
from panel.services.platform import current as platform
from panel.services.platform.latest_test_order import LatestTestOrder
from panel.settings import Settings

# Undelivered count in the example of a Partial order.
EXAMPLE_REMAINS = 400
TOOLS_NAMED = 3
# FAQ entries for visitors, by file name in `content/faq/`.
TEASERS = ("how-long", "what-partial-means", "add-money", "canceled-money")

bp = Blueprint("home", __name__)


@dataclass(frozen=True)
class Category:
    """A category of the catalogue, with its lowest price and the names of its first tools."""

    name: str
    tools: tuple[ToolOffer, ...]

    @property
    def from_micros(self) -> int | None:
        return _lowest_price(self.tools)

    @property
    def named(self) -> tuple[ToolOffer, ...]:
        return self.tools[:TOOLS_NAMED]

    @property
    def unnamed_count(self) -> int:
        return len(self.tools) - len(self.named)


@bp.get("/")
def show() -> ResponseReturnValue:
    now = utc_now()
    tools = own_prices().of_all(catalogue_tools.listed())
    settings: Settings = current_app.config["PANEL"]
    completion = delivery_times.time_to_completion(now=now)
    return render_template(
        "home.html",
        categories=_categories(tools),
        tools_count=len(tools),
        from_micros=_lowest_price(tools),
        share=delivery_times.share_completed(now=now),
        completion=completion,
        window_days=delivery_times.WINDOW.days,
        audit=audit_runs.newest(now=now),
        platform=platform.summary(interval_seconds=settings.probe_seconds, now=now),
        is_demo=latest_test_order.is_demo(now=now),
        deposit_limits=(deposits.MIN_NANOS, deposits.MAX_NANOS),
        payment_methods=methods.names(),
        questions=[question for question in texts().questions if question.id in TEASERS],
        data=structured_data.site(),
        **_card(_test_order()),
    )


@bp.get("/test-order/live")
def show_test_order() -> ResponseReturnValue:
    """Fragment with the newest test order, polled by the home page: 304 if it hasn't changed."""
    order = _test_order()
    shown = order.shown if order else f"none.{digest()}"
    return htmx.region_or_304(shown, lambda: render_template("home/_test_order.html", **_card(order)))


def _test_order() -> LatestTestOrder | None:
    settings: Settings = current_app.config["PANEL"]
    return latest_test_order.read() if settings.canary_seconds else None


def _card(order: LatestTestOrder | None) -> dict[str, object]:
    settings: Settings = current_app.config["PANEL"]
    return {
        "test_order": order,
        "topic": Topic.TEST_ORDER,
        "every_seconds": settings.canary_seconds,
        "example": worked_sum(Status.PARTIAL, remains=EXAMPLE_REMAINS),
        "example_status": Status.PARTIAL,
    }


def _lowest_price(tools: Iterable[ToolOffer]) -> int | None:
    """The lowest price of a thousand; packages have another price, and come without one."""
    return min((tool.price_micros_per_thousand for tool in tools if not tool.is_package), default=None)


def _categories(tools: Iterable[ToolOffer]) -> list[Category]:
    """Categories in their order; the tools in each by price, lowest first."""
    found: dict[str, list[ToolOffer]] = {}
    for tool in tools:
        found.setdefault(tool.category, []).append(tool)
    by_price = {name: sorted(each, key=lambda tool: tool.price_micros_per_thousand) for name, each in found.items()}
    order = category_order.in_order(by_price, category_order.places())
    return [Category(name, tuple(by_price[name])) for name in order]
