"""Values of an order's fields: made uniform and checked before any money moves.

A text and each line are kept to the byte. Line ends become `\n`, lines without a visible sign are left out, and the
last line has no end. Fields without a value are not kept.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from panel.domain import pricing
from panel.domain.errors import BadField, QuantityTooLarge, QuantityTooSmall
from panel.domain.forms import drip_feed
from panel.domain.forms.order_form import MAX_TEXT, FieldKind, FieldRule, OrderForm

FieldValues = dict[str, str]
_WHOLE = re.compile(r"[0-9]{1,12}", re.ASCII)


def read(form: OrderForm, given: Mapping[str, str]) -> FieldValues:
    """The values in the form's order. Raises BadField for the first one that is missing, wrong or not taken."""
    found = faults(form, given)
    if found:
        raise found[0]
    return uniform(form, given)


def faults(form: OrderForm, given: Mapping[str, str]) -> list[BadField]:
    """An error for each field that is missing, wrong or not taken by this form."""
    values = uniform(form, given)
    found = [fault for field in form.fields if (fault := _fault(field, values)) is not None]
    half = drip_feed.fault(form.names, values)
    if half is not None and half.field not in {fault.field for fault in found}:
        found.append(half)
    others = [name for name in values if name not in form.names]
    return found + [BadField(f"This tool takes no field {name[:40]}.", field=name) for name in others]


def check(form: OrderForm, given: Mapping[str, str], *, names: Sequence[str]) -> None:
    """Raises BadField for the first of these fields that is wrong, whatever the others are."""
    for fault in faults(form, given):
        if fault.field in names:
            raise fault


def uniform(form: OrderForm, given: Mapping[str, str]) -> FieldValues:
    """The values as they are kept, unchecked, with the fields of this form first."""
    rules = {field.name: field for field in form.fields}
    ordered = [*form.names, *(name for name in given if name not in rules)]
    values = {name: _uniform(rules.get(name), given.get(name, "")) for name in ordered}
    return {name: value for name, value in values.items() if value}


def lines_of(value: str) -> list[str]:
    return value.split("\n") if value else []


def quantity(form: OrderForm, values: Mapping[str, str], *, minimum: int, maximum: int) -> int:
    """The quantity where the customer enters none. Raises QuantityTooSmall or QuantityTooLarge about the list."""
    counted = form.counted
    if counted is None:
        return 1
    pieces, what = len(lines_of(values.get(counted.name, ""))), f"{counted.label.lower()}, one a line"
    entered = f"You entered {pieces:,}."
    if pieces < minimum:
        raise QuantityTooSmall(f"Enter at least {minimum:,} {what}. {entered}", field=counted.name)
    if pieces > maximum:
        raise QuantityTooLarge(f"Enter at most {maximum:,} {what}. {entered}", field=counted.name)
    return pieces


def _uniform(rule: FieldRule | None, value: str) -> str:
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if rule is None or rule.kind is FieldKind.LINES:
        return "\n".join(line for line in text.split("\n") if _is_visible(line))
    text = text.strip() if _is_visible(text) else ""
    if rule.kind is FieldKind.NUMBER:
        digits = pricing.ungrouped(text)
        return str(int(digits)) if _WHOLE.fullmatch(digits) else text
    return text


def _is_visible(text: str) -> bool:
    """Whether it has more than spaces and format characters, such as a zero-width space."""
    return any(not sign.isspace() and unicodedata.category(sign) != "Cf" for sign in text)


def _fault(field: FieldRule, values: Mapping[str, str]) -> BadField | None:
    value = values.get(field.name, "")
    sentence = _sentence(field, value) if value else _missing(field, values)
    return BadField(sentence, field=field.name) if sentence else None


def _missing(field: FieldRule, values: Mapping[str, str]) -> str:
    is_due = field.required_if is not None and values.get(field.required_if[0]) == field.required_if[1]
    if not field.is_required and not is_due:
        return ""
    word = "Choose" if field.kind is FieldKind.CHOICE else "Enter"
    return f"{word} the {field.label[:1].lower() + field.label[1:]}."


def _sentence(field: FieldRule, value: str) -> str:
    """Error message for the value; empty if it is valid."""
    match field.kind:
        case FieldKind.CHOICE:
            return "" if value in dict(field.choices) else f"Choose one of {_listed(field)}."
        case FieldKind.NUMBER:
            is_within = _WHOLE.fullmatch(value) and field.minimum <= int(value) <= field.maximum
            return "" if is_within else f"Enter a whole number from {field.minimum:,} to {field.maximum:,}."
        case FieldKind.TEXT:
            if "\n" in value:
                return "Write this on one line."
            return _faulty_line(value, most=field.maximum)
        case FieldKind.LINES:
            return _faulty_list(lines_of(value), most=field.maximum)


def _faulty_list(lines: list[str], *, most: int) -> str:
    if len(lines) > most:
        return f"Enter at most {most:,} lines. These are {len(lines):,}."
    for number, line in enumerate(lines, start=1):
        if sentence := _faulty_line(line, most=MAX_TEXT):
            return f"Line {number:,}: {sentence}"
    return ""


def _faulty_line(line: str, *, most: int) -> str:
    if len(line) > most:
        return f"Write at most {most:,} characters. These are {len(line):,}."
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign != "\t" for sign in line):
        return "Leave out control characters."
    return ""


def _listed(field: FieldRule) -> str:
    return ", ".join(f"{value} ({label})" if label != value else value for value, label in field.choices)
