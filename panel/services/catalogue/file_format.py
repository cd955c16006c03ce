"""Catalogue file parser: a YAML list of tools, validated field by field.

Every error is a BadCatalogue that names file, line and field. Only plain YAML is accepted: no anchors, aliases or
tags, and no nesting beyond a tool's fields.
"""

import re
from dataclasses import dataclass

import yaml

from panel.domain import links, patterns, pricing
from panel.domain.errors import BadCatalogue, BadInput, BadMoney
from panel.domain.forms import order_types, own_fields
from panel.domain.forms.order_form import OrderForm, QuantityRule
from panel.domain.forms.with_form import WithForm
from panel.services.catalogue import yaml_fields
from panel.services.catalogue.yaml_fields import TAG, YamlFields

MAX_REFILL_DAYS = 3_650

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)

LENGTHS = {
    "slug": 60,
    "name": 80,
    "category": 40,
    "summary": 300,
    "unit": 40,
    "price_per_thousand": 20,
    "provider": 60,
    "provider_service": 100,
    "link.pattern": patterns.MAX_LENGTH,
    "link.example": links.MAX_LENGTH,
    "link.counter_example": links.MAX_LENGTH,
    "link.hint": 300,
    "type": order_types.MAX_TYPE_LENGTH,
    "quantity": 40,
    "price_per_package": 20,
}
_OTHER_FIELDS = ("minimum", "maximum", "link", "refill", "cancel")
# The form of the tool's orders, where it is another one than link and quantity.
_FORM_FIELDS = ("type", "quantity", "fields", "price_per_package", "price_per_thousand")
_FIELDS = frozenset(field for field in LENGTHS if "." not in field) | frozenset((*_OTHER_FIELDS, *_FORM_FIELDS))
_LINK_FIELDS = frozenset(field.removeprefix("link.") for field in LENGTHS if "." in field)


@dataclass(frozen=True, slots=True)
class TermsWritten(WithForm):
    """The terms of a tool as a file gives them; each name is a column of the terms' table."""

    price_micros_per_thousand: int
    minimum: int
    maximum: int
    link_pattern: str
    link_example: str
    link_counter_example: str
    link_hint: str
    refill_days: int | None
    can_cancel: bool
    order_type: str = order_types.DEFAULT
    quantity_rule: str = ""
    own_fields: str = ""


@dataclass(frozen=True, slots=True)
class ToolWritten:
    """A tool as a file gives it, and where its provider stands in the file."""

    slug: str
    name: str
    category: str
    summary: str
    unit: str
    provider: str
    provider_service: str
    terms: TermsWritten
    provider_line: int


def read(data: bytes, *, name: str) -> list[ToolWritten]:
    """Parse the tools of the file `name`, in order. Raises BadCatalogue at the first error."""
    root = yaml_fields.compose(data, name=name)
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        raise yaml_fields.refusal(
            name, 1 if root is None else yaml_fields.line_of(root), "file", "A catalogue is a list of tools."
        )
    tools: list[ToolWritten] = []
    lines: dict[str, int] = {}
    for node in root.value:
        fields = YamlFields.of(node, name=name, lengths=LENGTHS, allowed=_FIELDS, optional=_FORM_FIELDS)
        tool = _tool(fields)
        if tool.slug in lines:
            raise fields.refusal("slug", f"The slug {tool.slug} is already used on line {lines[tool.slug]}.")
        lines[tool.slug] = fields.line("slug")
        tools.append(tool)
    return tools


def _tool(fields: YamlFields) -> ToolWritten:
    slug = fields.text("slug")
    if not _SLUG.fullmatch(slug):
        raise fields.refusal("slug", "Write lower-case letters and digits, with single hyphens between words.")
    return ToolWritten(
        slug=slug,
        name=fields.text("name"),
        category=fields.text("category"),
        summary=fields.text("summary"),
        unit=fields.text("unit"),
        provider=fields.text("provider"),
        provider_service=fields.text("provider_service"),
        terms=_terms(fields),
        provider_line=fields.line("provider"),
    )


def _terms(fields: YamlFields) -> TermsWritten:
    minimum = fields.whole("minimum", least=1, most=pricing.MAX_QUANTITY)
    maximum = fields.whole("maximum", least=1, most=pricing.MAX_QUANTITY)
    if maximum < minimum:
        raise fields.refusal("maximum", f"The maximum {maximum} is below the minimum {minimum}.")
    link = _link(fields)
    order_type, quantity_rule, written = _form(fields)
    form = own_fields.form_of(order_type, quantity_rule, written)
    if form.is_package and (minimum, maximum) != (1, 1):
        raise fields.refusal("maximum", "A package is ordered one at a time: its minimum and maximum are 1.")
    return TermsWritten(
        price_micros_per_thousand=_price(fields, form),
        minimum=minimum,
        maximum=maximum,
        link_pattern=link["pattern"],
        link_example=link["example"],
        link_counter_example=link["counter_example"],
        link_hint=link["hint"],
        refill_days=_refill_days(fields),
        can_cancel=fields.truth("cancel"),
        order_type=order_type,
        quantity_rule=quantity_rule,
        own_fields=written,
    )


def _form(fields: YamlFields) -> tuple[str, str, str]:
    """The columns of the tool's form: a type of the table, or any type with its own quantity rule and fields."""
    named = fields.text("type") if "type" in fields else order_types.DEFAULT
    order_type = order_types.known_name(named) or named
    if "quantity" not in fields:
        if order_type not in order_types.TYPES:
            raise fields.refusal("type", "This type isn’t known here: give its quantity and its fields.")
        if "fields" in fields:
            raise fields.refusal("fields", "Fields of its own need the field quantity.")
        return order_type, "", ""
    rule = fields.text("quantity")
    if rule not in list(QuantityRule):
        raise fields.refusal("quantity", f"Write one of {', '.join(QuantityRule)}.")
    try:
        own = own_fields.read(fields.block("fields")) if "fields" in fields else ()
        own_fields.check(QuantityRule(rule), own)
    except BadInput as error:
        raise fields.refusal("fields" if "fields" in fields else "quantity", error.message) from error
    return order_type, rule, own_fields.write(own)


def _price(fields: YamlFields, form: OrderForm) -> int:
    """The price per thousand; of a package, the price of one stands in a field of its own."""
    field, other = ("price_per_package", "price_per_thousand")[:: 1 if form.is_package else -1]
    if other in fields:
        raise fields.refusal(other, f"A tool of this type has {field}.")
    if field not in fields:
        raise yaml_fields.refusal(fields.name, fields.start, field, "This field is missing.")
    node = fields.value(field)
    if node.tag in (f"{TAG}float", f"{TAG}int"):
        raise fields.refusal(field, 'Write the price in quotes, such as "0.90": a bare number loses digits.')
    try:
        return pricing.parse_price(fields.text(field), is_package=form.is_package)
    except BadMoney as error:
        raise fields.refusal(field, error.message) from error


def _link(fields: YamlFields) -> dict[str, str]:
    inner = YamlFields.of(fields.value("link"), name=fields.name, lengths=LENGTHS, allowed=_LINK_FIELDS, prefix="link.")
    rule = {field: inner.text(field) for field in ("pattern", "example", "counter_example", "hint")}
    try:
        links.check_rule(**rule)
    except BadCatalogue as error:
        field, _, sentence = error.message.removeprefix("link.").partition(" ")
        raise inner.refusal(field, f"The {field.replace('_', '-')} {sentence}") from error
    return rule


def _refill_days(fields: YamlFields) -> int | None:
    node = fields.value("refill")
    if node.tag == f"{TAG}null":
        return None
    if not isinstance(node, yaml.MappingNode):
        raise fields.refusal("refill", "Write null where no refill is offered, or days under it.")
    inner = YamlFields.of(node, name=fields.name, lengths=LENGTHS, allowed=frozenset({"days"}), prefix="refill.")
    return inner.whole("days", least=1, most=MAX_REFILL_DAYS)
