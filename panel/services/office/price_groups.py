"""Price groups in the office: what their customers pay, and who is in them.

Every change bumps the catalogue's version, or the customer's, so that no cached page or API answer keeps an old price.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ScalarSelect, Table, delete, func, select, update

from panel import app_context
from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.domain import pricing
from panel.domain.errors import ActionRefused, BadInput, BadMoney, NotFound
from panel.models import Catalogue, GroupMember, GroupPrice, PriceGroup, User
from panel.services import audit_log, customer_version
from panel.services.api import catalogue_events
from panel.services.catalogue import customer_prices, known_prices, routes, tools
from panel.services.catalogue.customer_prices import PriceList
from panel.services.catalogue.tools import ToolOffer
from panel.services.closed_accounts import check_open
from panel.services.money import ledger
from panel.services.office import customers

MAX_NAME_LENGTH = 60
MEMBERS, PRICES = table_of(GroupMember), table_of(GroupPrice)
_NO_GROUP = "There is no such price group."
_PERCENT = re.compile(r"([0-9]{1,2})(?:\.([0-9]{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group with how many customers are in it and how many fixed prices it has."""

    id: int
    name: str
    discount_basis_points: int
    members: int
    prices: int

    @property
    def percent(self) -> str:
        return plain_percent(self.discount_basis_points)


@dataclass(frozen=True, slots=True)
class BelowCost:
    """A tool that costs more than a group pays for it, in nanos of a thousand or a package."""

    offer: ToolOffer
    price_nanos: int
    cost_nanos: int


def listed() -> list[GroupRow]:
    """All groups by name."""
    return [GroupRow(*row) for row in db.session.execute(_ROWS.order_by(PriceGroup.name))]


def find(group_id: int) -> GroupRow:
    """The group with this id. Raises NotFound."""
    row = db.session.execute(_ROWS.where(PriceGroup.id == group_id)).first()
    if row is None:
        raise NotFound(_NO_GROUP)
    return GroupRow(*row)


def _count(table: Table) -> ScalarSelect[int]:
    """How many of its rows a group has."""
    return select(func.count()).where(table.c.group_id == PriceGroup.id).correlate(PriceGroup).scalar_subquery()


_ROWS = select(PriceGroup.id, PriceGroup.name, PriceGroup.discount_basis_points, _count(MEMBERS), _count(PRICES))


def _group(group_id: int) -> PriceGroup:
    found = db.session.get(PriceGroup, group_id)
    if found is None:
        raise NotFound(_NO_GROUP)
    return found


def of_customer(customer_id: int) -> PriceGroup | None:
    """The group of this customer, if any."""
    return db.session.scalar(select(PriceGroup).join(GroupMember).where(GroupMember.user_id == customer_id))


def fixed_prices(group_id: int, offers: Sequence[ToolOffer]) -> Sequence[tuple[GroupPrice, ToolOffer]]:
    """The group's fixed prices with their tools, of all these at list prices."""
    prices = {
        each.tool_id: each for each in db.session.scalars(select(GroupPrice).where(PRICES.c.group_id == group_id))
    }
    return [(prices[offer.tool_id], offer) for offer in offers if offer.tool_id in prices]


def below_cost(prices: PriceList, listed_offers: Sequence[ToolOffer]) -> list[BelowCost]:
    """Of these tools at list prices, those that these prices sell for less than their provider is known to charge."""
    offers = prices.of_all(listed_offers)
    known = routes.of_tools([offer.tool_id for offer in offers])
    found = []
    for offer in offers:
        price = offer.charge_nanos(1 if offer.is_package else routes.THOUSAND)
        cost = known[offer.tool_id][0].cost_nanos
        if cost is not None and cost > price:
            found.append(BelowCost(offer, price, cost))
    return found


def parse_percent(text: str) -> int:
    """Percent off in hundredths; 0 for an empty text. Raises BadInput unless it is above 0 and below 100."""
    if not text.strip():
        return 0
    match = _PERCENT.fullmatch(text.strip())
    points = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else 0
    if not points:
        raise BadInput("Enter a percentage above 0 and below 100, with at most 2 decimals.", field="percent")
    return points


def plain_percent(basis_points: int) -> str:
    """The inverse of `parse_percent`; empty for 0."""
    whole, part = divmod(basis_points, 100)
    return "" if not basis_points else f"{whole}.{part:02}".rstrip("0").rstrip(".")


def parse_fixed(slug: str, rate: str) -> tuple[ToolOffer, int]:
    """The tool and its price per thousand. Raises BadInput about the field."""
    offer = tools.find_any(slug.strip())
    if offer is None:
        raise BadInput("There is no tool with this slug.", field="tool")
    try:
        return offer, pricing.parse_price(rate, is_package=offer.is_package)
    except BadMoney as error:
        raise BadInput(error.message, field="rate") from error


def checked_name(text: str, *, group_id: int | None = None) -> str:
    """Validate a group's name. Raises BadInput, also if another group has it."""
    name = text.strip()
    if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
        raise BadInput(f"Write a name of 1 to {MAX_NAME_LENGTH} characters.", field="name")
    other = db.session.scalar(select(PriceGroup.id).where(PriceGroup.name == name))
    if other not in (None, group_id):
        raise BadInput("Another group has this name.", field="name")
    return name


def add(name: str, percent: str, *, actor: str, now: datetime) -> int:
    """Add a group; returns its id. Raises BadInput."""
    _lock_groups()
    points, name = parse_percent(percent), checked_name(name)
    group = PriceGroup(name=name, discount_basis_points=points, created_at=now)
    db.session.add(group)
    db.session.flush()
    _record("price group add", group.id, f"{name}: {_discount(points)}", actor=actor, now=now)
    return group.id


def change(group_id: int, name: str, percent: str, *, actor: str, now: datetime) -> None:
    """Change a group's name and discount. Raises NotFound or BadInput."""
    with _changing(group_id, now=now):
        group, points = _group(group_id), parse_percent(percent)
        before = f"{group.name}: {_discount(group.discount_basis_points)}"
        group.name, group.discount_basis_points = checked_name(name, group_id=group_id), points
        db.session.flush()
        after = f"{group.name}: {_discount(points)}"
        _record("price group change", group_id, f"{before}, now {after}", actor=actor, now=now)


def set_price(group_id: int, slug: str, rate: str, *, actor: str, now: datetime) -> None:
    """Set the group's fixed price of a tool, given as its rate. Raises NotFound or BadInput."""
    with _changing(group_id, now=now):
        offer, price = parse_fixed(slug, rate)
        values = {"price_micros_per_thousand": price, "is_package": offer.is_package}
        add = upsert(PRICES)
        row = {"group_id": _group(group_id).id, "tool_id": offer.tool_id, **values}
        db.session.execute(add.on_conflict_do_update(index_elements=["group_id", "tool_id"], set_=values), [row])
        shown = pricing.plain_rate(price, is_package=offer.is_package)
        _record("price group price", group_id, f"{offer.slug}: {shown}", actor=actor, now=now)


def remove_price(group_id: int, price_id: int, *, actor: str, now: datetime) -> None:
    """Remove a fixed price: the group's discount holds again. Raises NotFound."""
    with _changing(group_id, now=now):
        price = db.session.scalar(select(GroupPrice).where(PRICES.c.id == price_id, PRICES.c.group_id == group_id))
        if price is None:
            raise NotFound("The group has no such price.")
        offer = tools.offer(price.tool_id)
        db.session.delete(price)
        db.session.flush()
        _record("price group price remove", group_id, offer.slug if offer else "", actor=actor, now=now)


def remove(group_id: int, *, actor: str, now: datetime) -> None:
    """Remove a group: its customers pay list prices again. Raises NotFound."""
    with _changing(group_id, now=now):
        row = find(group_id)
        for table in (MEMBERS, PRICES):
            execute_write(delete(table).where(table.c.group_id == group_id))
        execute_write(delete(PriceGroup).where(PriceGroup.id == group_id))
        _record("price group remove", group_id, f"{row.name}, {row.members} customers", actor=actor, now=now)


def give(customer_id: int, group_id: int | None, *, actor: str, now: datetime) -> None:
    """Put a customer into a group, or back to list prices.

    Raises NotFound, or Refused for a closed account and for the staff, who could set their own prices.
    """
    ledger.lock_accounts([customer_id])
    check_open([customer_id])
    if group_id is not None and db.session.get_one(User, customer_id).is_staff:
        raise ActionRefused("This is an account of the staff, who pay list prices.")
    _lock_groups()
    before = customer_prices.of_customer(customer_id)
    if before.group_id == group_id:
        return
    execute_write(delete(GroupMember).where(GroupMember.user_id == customer_id))
    if group_id is not None:
        db.session.execute(upsert(MEMBERS), [{"user_id": customer_id, "group_id": _group(group_id).id}])
    customer_version.bump([customer_id])
    after = customer_prices.of_customer(customer_id)
    catalogue_events.announce_prices([customer_id], before=before, after=after, now=now)
    known_prices.note([customer_id], before)
    detail = "list prices" if group_id is None else f"group {group_id}: {_group(group_id).name}"
    audit_log.write("price group give", actor=actor, subject=customers.subject(customer_id), detail=detail, now=now)


@contextmanager
def _changing(group_id: int, *, now: datetime) -> Iterator[None]:
    """Change a group's prices within this: pages and endpoints of its customers get the new ones."""
    _lock_groups()
    before = customer_prices.of_group(_group(group_id).id)
    members = set(db.session.scalars(select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == group_id)))
    # Before the change: removing the group forgets who was in it.
    known_prices.note_group(group_id, before)
    yield
    is_left = db.session.scalar(select(PriceGroup.id).where(PriceGroup.id == group_id)) is not None
    after = customer_prices.of_group(group_id if is_left else None)
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    catalogue_events.announce_prices(members, before=before, after=after, now=now)


def _lock_groups() -> None:
    """One change at a time, so that nobody joins a group while it is removed."""
    db.session.execute(lock_rows(select(Catalogue.version))).all()


def _discount(basis_points: int) -> str:
    return f"{plain_percent(basis_points)}% off" if basis_points else "list prices"


def _record(action: str, group_id: int, detail: str, *, actor: str, now: datetime) -> None:
    audit_log.write(action, actor=actor, subject=f"price group {group_id}", detail=detail, now=now)


def shown_cost(row: BelowCost) -> str:
    """A tool below cost in words."""
    price, cost = map(app_context.money_text, (row.price_nanos, row.cost_nanos))
    return f"{row.offer.name}: {price}, costs {cost}"
