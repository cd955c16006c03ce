"""Which routes of a tool an order fits: the service there has the order's form, and its limits allow the quantity.

What a provider's service takes is known where a tool was made of it. Of any other service an operator has confirmed
that it takes the same as the tool; that stays true while the tool keeps its order form.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import and_, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from panel.db import db
from panel.domain.provider_kind import ProviderKind
from panel.models import Order, OrderRun, Provider, Terms, Tool, ToolRoute

Form = tuple[str, str, str]
_FORM = (Terms.order_type, Terms.quantity_rule, Terms.own_fields)


class _ServiceOfTool(Protocol):
    @property
    def tool_id(self) -> int: ...

    @property
    def provider_id(self) -> int: ...

    @property
    def service(self) -> str: ...

    @property
    def is_manual(self) -> bool: ...


Route = TypeVar("Route", bound=_ServiceOfTool)


def fitting(found: Sequence[Route], *, form: Form, quantity: int) -> list[Route]:
    """The routes of one tool that an order with this form and quantity fits, in their order."""
    if not found:
        return []
    known = _known({(route.provider_id, route.service) for route in found})
    is_steady = _keeps_form(found[0].tool_id, form)

    def fits(route: Route) -> bool:
        takes = known.get((route.provider_id, route.service))
        if route.is_manual:
            return True
        if takes is None:
            return is_steady
        return any(form == of and least <= quantity <= most for of, least, most in takes)

    return [route for route in found if fits(route)]


def of_order(order_id: int, found: Sequence[Route]) -> list[Route]:
    """As `fitting`, for an order; of a drip-feed each run has to fit."""
    of_run = select(OrderRun.quantity).where(OrderRun.order_id == Order.id).limit(1).scalar_subquery()
    row: Any = db.session.execute(
        select(func.coalesce(of_run, Order.quantity), *_FORM)
        .join(Terms, Terms.id == Order.terms_id)
        .where(Order.id == order_id)
    ).one()
    return fitting(found, form=(row[1], row[2], row[3]), quantity=row[0])


def has_open_route(tool_id: Any) -> Any:
    """Whether a further provider of this tool takes orders of it, as a condition. `tool_id`: a column.

    Its service must have the tool's form, and take at least some of the quantities that the tool does.
    """
    other, mine, own = aliased(Provider), aliased(Tool), aliased(Terms)
    sold, takes, version = aliased(Tool), aliased(Terms), aliased(Terms)
    has_form = _same_form(takes, own)
    known = (
        select(sold.id)
        .join(takes, takes.id == sold.terms_id)
        .where(sold.provider_id == ToolRoute.provider_id, sold.provider_service == ToolRoute.service)
    )
    was_other = select(version.id).where(version.tool_id == mine.id, ~_same_form(version, own))
    fits = known.where(has_form, takes.minimum <= own.maximum, takes.maximum >= own.minimum)
    return (
        select(ToolRoute.id)
        .join(other, other.id == ToolRoute.provider_id)
        .join(mine, mine.id == ToolRoute.tool_id)
        .join(own, own.id == mine.terms_id)
        .where(ToolRoute.tool_id == tool_id, other.paused_at.is_(None), other.add_after.is_(None))
        .where(or_(other.kind == ProviderKind.MANUAL, fits.exists(), and_(~known.exists(), ~was_other.exists())))
        .exists()
    )


def _same_form(one: Any, another: Any) -> Any:
    return and_(*(getattr(one, column.key) == getattr(another, column.key) for column in _FORM))


def other_form(provider_id: int, service: str, *, form: Form) -> str:
    """The type of a service that is known to take another form; empty if it takes this one, or isn't known."""
    takes = _known({(provider_id, service)}).get((provider_id, service), [])
    return "" if not takes or any(of == form for of, _least, _most in takes) else takes[0][0][0]


def _known(services: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[tuple[Form, int, int]]]:
    """Form, minimum and maximum of the tools that were made of these services of providers."""
    rows = db.session.execute(
        select(Tool.provider_id, Tool.provider_service, Terms.minimum, Terms.maximum, *_FORM)
        .join(Terms, Terms.id == Tool.terms_id)
        .where(tuple_(Tool.provider_id, Tool.provider_service).in_(list(services)))
    )
    known = defaultdict(list)
    for provider_id, service, minimum, maximum, *form in rows:
        known[provider_id, service].append(((form[0], form[1], form[2]), minimum, maximum))
    return dict(known)


def _keeps_form(tool_id: int, form: Form) -> bool:
    """Whether no version of the tool's terms has another form."""
    is_other = or_(*(column != value for column, value in zip(_FORM, form, strict=True)))
    return db.session.scalar(select(Terms.id).where(Terms.tool_id == tool_id, is_other).limit(1)) is None
