"""Order form: the quantity rule and the extra fields of a tool's orders, and how a field is described.

`order_types.py` has the forms of the types that API v2 knows; `own_fields.py` reads the ones that operators write.
"""

from dataclasses import dataclass
from enum import StrEnum

MAX_TEXT = 500
MAX_LINES = 10_000
MAX_NUMBER = 1_000_000_000
MAX_NAME = 40

# Names that a call of the API, the order form or the order itself uses already.
RESERVED = frozenset(
    {"action", "again", "change", "csrf_token", "dripfeed", "fill", "id", "key", "lines", "link", "next"}
    | {"order", "orders", "quantity", "refill", "refills", "request_id", "service", "step", "terms", "tool"}
    | {"terms_price"}
)


class QuantityRule(StrEnum):
    """How the quantity of an order comes about."""

    BY_QUANTITY = "by_quantity"
    FIXED_PACKAGE = "fixed_package"
    ONE_A_LINE = "one_a_line"

    @property
    def label(self) -> str:
        return {
            QuantityRule.BY_QUANTITY: "By quantity",
            QuantityRule.FIXED_PACKAGE: "Fixed package",
            QuantityRule.ONE_A_LINE: "One a line",
        }[self]

    @property
    def means(self) -> str:
        """The rule as a sentence for customers."""
        return {
            QuantityRule.BY_QUANTITY: "The customer enters the quantity.",
            QuantityRule.FIXED_PACKAGE: "Each order is one package at the price of one package.",
            QuantityRule.ONE_A_LINE: "Each line of the list is one piece; the quantity is the number of lines.",
        }[self]


class FieldKind(StrEnum):
    """Kind of a field's value."""

    TEXT = "text"
    LINES = "lines"
    NUMBER = "number"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A field that an order takes: its name in the API, and what may be entered."""

    name: str
    label: str
    kind: FieldKind
    example: str
    hint: str = ""
    is_required: bool = True
    # Longest text in characters, most lines, or the largest number.
    maximum: int = MAX_TEXT
    # The smallest number.
    minimum: int = 0
    # Value and label of each choice.
    choices: tuple[tuple[str, str], ...] = ()
    # Required only where another field has this value.
    required_if: tuple[str, str] | None = None

    @property
    def one_line_hint(self) -> str:
        """The hint with what may be entered, for the form and for /api."""
        limits = {
            FieldKind.TEXT: f"At most {self.maximum:,} characters.",
            FieldKind.LINES: f"One a line, at most {self.maximum:,} lines.",
            FieldKind.NUMBER: f"A whole number from {self.minimum:,} to {self.maximum:,}.",
            FieldKind.CHOICE: "",
        }[self.kind]
        return " ".join(part for part in (self.hint, limits) if part)

    def label_of(self, value: str) -> str:
        """The value as people read it: a choice by its label."""
        return dict(self.choices).get(value, value)


@dataclass(frozen=True, slots=True)
class OrderForm:
    """The form of a tool's orders. Without a quantity rule nobody has set how the tool is ordered."""

    order_type: str
    quantity_rule: QuantityRule | None
    fields: tuple[FieldRule, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it is complete, so that the tool can be ordered."""
        return self.quantity_rule is not None

    @property
    def takes_quantity(self) -> bool:
        return self.quantity_rule is QuantityRule.BY_QUANTITY

    @property
    def is_package(self) -> bool:
        return self.quantity_rule is QuantityRule.FIXED_PACKAGE

    @property
    def counted(self) -> FieldRule | None:
        """The list whose lines are the quantity."""
        if self.quantity_rule is not QuantityRule.ONE_A_LINE:
            return None
        return next((field for field in self.fields if field.kind is FieldKind.LINES), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def has_drip_feed(self) -> bool:
        """Whether orders can be delivered in runs (`drip_feed.py`)."""
        return {"runs", "interval"} <= set(self.names)
