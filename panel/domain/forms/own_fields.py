"""Own fields of a tool: one field a line, as operators and catalogue files write them.

`name | label | kind | limits or choices | example | hint`, where the last three may be left out. The kind may be
followed by `optional`. Limits are the longest text, the most lines, or `1-100` for a number; choices are
`1=Desktop, 2=Mobile`.
"""

import re
from functools import lru_cache

from panel.domain.errors import BadInput
from panel.domain.forms import drip_feed, order_types
from panel.domain.forms.order_form import (
    MAX_LINES,
    MAX_NAME,
    MAX_NUMBER,
    MAX_TEXT,
    RESERVED,
    FieldKind,
    FieldRule,
    OrderForm,
    QuantityRule,
)

MAX_FIELDS = 20
MAX_LENGTH = 4_000
MAX_PART = 300
_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{MAX_NAME - 1}}}", re.ASCII)
_RANGE = re.compile(r"([0-9]{1,10})\s*-\s*([0-9]{1,10})", re.ASCII)
_WHOLE = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)
SYNTAX = "name | label | kind | limits or choices | example | hint"


@lru_cache(maxsize=1_000)
def form_of(order_type: str, quantity_rule: str, own_fields: str) -> OrderForm:
    """The form with these columns: an own one where it has a quantity rule, else the table's of this type."""
    if quantity_rule:
        return OrderForm(order_type, QuantityRule(quantity_rule), read(own_fields))
    return order_types.TYPES.get(order_type) or OrderForm(order_type, None)


def read(text: str) -> tuple[FieldRule, ...]:
    """Parse the lines. Raises BadInput, which names the line."""
    if len(text) > MAX_LENGTH:
        raise BadInput(f"The fields are longer than {MAX_LENGTH:,} characters.")
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    if len(lines) > MAX_FIELDS:
        raise BadInput(f"A tool takes at most {MAX_FIELDS} fields of its own.")
    fields = tuple(_field(number, line) for number, line in enumerate(lines, start=1))
    names = [field.name for field in fields]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"The field {twice} is there twice.")
    return fields


def write(fields: tuple[FieldRule, ...]) -> str:
    """The fields as `read` takes them, always in the same way."""
    return "\n".join(_line(field) for field in fields)


def check(quantity_rule: QuantityRule, fields: tuple[FieldRule, ...]) -> None:
    """Raises BadInput if the lines are to be counted and there is no required list, or for half of a drip-feed."""
    drip_feed.check(quantity_rule, fields)
    if quantity_rule is not QuantityRule.ONE_A_LINE:
        return
    first = next((field for field in fields if field.kind is FieldKind.LINES), None)
    if first is None or not first.is_required:
        raise BadInput("One a line needs a field of the kind lines that isn’t optional: its lines are counted.")


def _field(number: int, line: str) -> FieldRule:
    parts = [part.strip() for part in line.split("|")]
    if not 3 <= len(parts) <= 6:
        raise _bad(number, f"write {SYNTAX}")
    if not line.strip().isprintable() or any(len(part) > MAX_PART for part in parts):
        raise _bad(number, f"each part is one line of at most {MAX_PART} characters")
    name, label, kind_words, limits, example, hint = (*parts, "", "", "")[:6]
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise _bad(number, f"the name {name[:MAX_NAME]} can’t be used: write small letters, digits and _")
    kind_word, _, optional = kind_words.partition(" ")
    if kind_word not in list(FieldKind) or optional not in ("", "optional"):
        raise _bad(number, f"the kind is one of {', '.join(FieldKind)}, with optional after it where it may be empty")
    if not label:
        raise _bad(number, "the label is missing")
    kind = FieldKind(kind_word)
    minimum, maximum, choices = _limits(number, kind, limits)
    example = example or _usual_example(kind, minimum=minimum, choices=choices)
    return FieldRule(name, label, kind, example, hint, optional == "", maximum, minimum, choices)


def _usual_example(kind: FieldKind, *, minimum: int, choices: tuple[tuple[str, str], ...]) -> str:
    if kind is FieldKind.NUMBER:
        return str(max(minimum, 1))
    return choices[0][0] if choices else "example"


def _limits(number: int, kind: FieldKind, text: str) -> tuple[int, int, tuple[tuple[str, str], ...]]:
    if kind is FieldKind.CHOICE:
        return 0, MAX_TEXT, _choices(number, text)
    most = {FieldKind.TEXT: MAX_TEXT, FieldKind.LINES: MAX_LINES, FieldKind.NUMBER: MAX_NUMBER}[kind]
    if not text:
        return 0, most, ()
    if kind is FieldKind.NUMBER:
        match = _RANGE.fullmatch(text)
        if match is None or not int(match[1]) <= int(match[2]) <= most:
            raise _bad(number, "write the limits of a number as 1-100")
        return int(match[1]), int(match[2]), ()
    if not _WHOLE.fullmatch(text) or int(text) > most:
        raise _bad(number, f"the limit is a whole number from 1 to {most:,}")
    return 0, int(text), ()


def _choices(number: int, text: str) -> tuple[tuple[str, str], ...]:
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    choices = tuple((value.strip(), (label.strip() or value.strip())) for value, _, label in pairs)
    values = [value for value, _label in choices]
    if not choices or "" in values or len(set(values)) != len(values):
        raise _bad(number, "write the choices as 1=Desktop, 2=Mobile, each with a value of its own")
    return choices


def _line(field: FieldRule) -> str:
    limits = {
        FieldKind.NUMBER: f"{field.minimum}-{field.maximum}",
        FieldKind.CHOICE: ", ".join(f"{value}={label}" for value, label in field.choices),
    }.get(field.kind, str(field.maximum))
    kind = field.kind if field.is_required else f"{field.kind} optional"
    parts = [field.name, field.label, kind, limits, field.example.replace("\n", " "), field.hint]
    return " | ".join(parts).rstrip(" |")


def _bad(number: int, why: str) -> BadInput:
    return BadInput(f"Field {number}: {why}.")
