"""Tools and values for order forms: one tool of every type, and what an order of it is given."""

from panel.domain.forms import order_types
from panel.domain.forms.order_form import FieldKind, FieldRule, OrderForm
from panel.models import Tool
from tests.support.factories import a_tool, new_terms

# Bytes that must survive: spaces around, quotes, braces, tabs, emoji with a joiner, right-to-left text, a bar.
LINES = ("  Great “episode” & more  ", "{{ 7*7 }} <b>x</b>", "\tTab | bar = a\\nb", "👩‍🚀 שלום", "+1", "null")
DRIP_FEED = "runs | Runs | number optional | 2-50 | 5\ninterval | Minutes between runs | number optional | 10-2880 | 60"


def a_tool_of(order_type: str, *, own: tuple[str, str] = ("", ""), **terms: object) -> Tool:
    """A tool of this type; `own` is a quantity rule with own fields."""
    tool = a_tool(**({"minimum": 1} | terms))  # type: ignore[arg-type]
    form = order_types.TYPES.get(order_type)
    is_package = own[0] == "fixed_package" or (not own[0] and form is not None and form.is_package)
    limits = {"minimum": 1, "maximum": 1} if is_package else {}
    new_terms(tool, order_type=order_type, quantity_rule=own[0], own_fields=own[1], **limits)
    return tool


def given_for(form: OrderForm) -> dict[str, str]:
    """Valid values for every field, with lines that are hard to keep."""
    return {rule.name: _value(rule) for rule in form.fields}


def _value(rule: FieldRule) -> str:
    if rule.kind is FieldKind.LINES:
        return "\n".join(LINES)
    return rule.example if rule.kind is not FieldKind.TEXT else "Anna “<i>{{ 1 }}</i>” | é"


def quantity_for(form: OrderForm, quantity: int = 100) -> str:
    return str(quantity) if form.takes_quantity else ""


def a_drip_feed_tool(**terms: object) -> Tool:
    """A tool that offers drip-feed."""
    return a_tool_of("Default", own=("by_quantity", DRIP_FEED), **terms)
