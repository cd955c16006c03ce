"""Order form in the tool editor: a type of the table, or any type with its own quantity rule and fields."""

from collections.abc import Mapping

from panel.domain.errors import BadInput
from panel.domain.forms import order_types, own_fields
from panel.domain.forms.order_form import OrderForm, QuantityRule

COLUMNS = ("order_type", "quantity_rule", "own_fields")


def columns(form: OrderForm) -> dict[str, str]:
    """The form as columns of the terms: one of the table needs its type alone."""
    if form is order_types.TYPES.get(form.order_type):
        return {"order_type": form.order_type, "quantity_rule": "", "own_fields": ""}
    rule = str(form.quantity_rule)
    return {"order_type": form.order_type, "quantity_rule": rule, "own_fields": own_fields.write(form.fields)}


def read(typed: Mapping[str, str], errors: dict[str, str]) -> OrderForm | None:
    """Parse the form; None with a message in `errors`."""
    named = " ".join(typed.get("order_type", "").split()) or order_types.DEFAULT
    rule, written = typed.get("quantity_rule", ""), typed.get("own_fields", "").strip()
    if len(named) > order_types.MAX_TYPE_LENGTH or not named.isprintable():
        errors["order_type"] = f"Write one line of 1 to {order_types.MAX_TYPE_LENGTH} characters."
        return None
    known = order_types.known_name(named)
    if not rule:
        if known is None:
            errors["quantity_rule"] = "This type isn’t in the table, so say how its quantity comes about."
        elif written:
            errors["own_fields"] = "Own fields need a choice of how the quantity comes about. Or leave them empty."
        else:
            return order_types.TYPES[known]
        return None
    if rule not in list(QuantityRule):
        errors["quantity_rule"] = "Choose one of the list."
        return None
    try:
        fields = own_fields.read(written)
        own_fields.check(QuantityRule(rule), fields)
    except BadInput as error:
        errors["own_fields"] = error.message
        return None
    return OrderForm(known or named, QuantityRule(rule), fields)
