"""Values of orders' fields, such as comments: kept with the order, and read for pages, providers and exports."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select

from panel.db import db, table_of
from panel.domain.forms import drip_feed
from panel.domain.forms.order_form import FieldKind, FieldRule, OrderForm
from panel.domain.forms.values import FieldValues, lines_of
from panel.models import OrderField

FIELDS = table_of(OrderField)


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field of an order as pages show it."""

    name: str
    label: str
    value: str
    # The value as people read it.
    text: str
    is_list: bool

    @property
    def lines(self) -> int:
        return len(lines_of(self.value))


def keep(order_id: int, values: Mapping[str, str]) -> None:
    """Store the values of a new order."""
    rows = [{"order_id": order_id, "name": name, "value": value} for name, value in values.items()]
    if rows:
        db.session.execute(insert(FIELDS), rows)


def of_orders(order_ids: Collection[int]) -> dict[int, FieldValues]:
    """The values by order; an order without fields is left out."""
    found: dict[int, FieldValues] = {}
    if order_ids:
        read = select(FIELDS.c.order_id, FIELDS.c.name, FIELDS.c.value).where(FIELDS.c.order_id.in_(order_ids))
        for order_id, name, value in db.session.execute(read.order_by(FIELDS.c.id)):
            found.setdefault(order_id, {})[name] = value
    return found


def of_order(order_id: int) -> FieldValues:
    return of_orders([order_id]).get(order_id, {})


def shown(form: OrderForm, values: Mapping[str, str]) -> list[ShownField]:
    """The values with their labels; a field that the form doesn't have goes by its name."""
    rules = {field.name: field for field in form.fields}
    return [_shown(rules.get(name), name, value) for name, value in values.items()]


def without_plan(fields: list[ShownField]) -> list[ShownField]:
    """The fields without those of drip-feed, for pages that show its plan."""
    return [field for field in fields if field.name not in drip_feed.NAMES]


def of_order_shown(order_id: int, form: OrderForm) -> list[ShownField]:
    """Values entered besides link and quantity."""
    return shown(form, of_order(order_id))


def _shown(rule: FieldRule | None, name: str, value: str) -> ShownField:
    if rule is None:
        return ShownField(name, name, value, value, "\n" in value)
    return ShownField(name, rule.label, value, rule.label_of(value), rule.kind is FieldKind.LINES)
