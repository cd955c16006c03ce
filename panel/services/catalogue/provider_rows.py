"""Parser for rows of a provider's catalogue (untrusted): every field is validated, or the row is skipped.

Names are plain text: HTML entities are decoded once, angle brackets stay, and pages escape them.
"""

import html
import unicodedata
from dataclasses import dataclass

from panel.domain import pricing, resale
from panel.domain.forms import order_types
from panel.domain.forms.own_fields import form_of
from panel.domain.provider_report import read_count

MAX_NAME_LENGTH = 200
MAX_CATEGORY_LENGTH = 100
# A bound for the column alone: what can be charged here is only known in our currency.
MAX_RATE_MICROS = 10**15
# Fallback for rows without a category.
NO_CATEGORY = "Other"
# Longer texts are rejected; names that only exceed their column are cut.
MAX_TEXT = 2_000

_TRUE = (True, 1, "1", "true")
_FALSE = (False, 0, "0", "false", "", None)


class BadRow(Exception):
    """This row can't be imported, for the reason in the text."""


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A service of an upstream panel as its catalogue gives it, checked."""

    service: str
    name: str
    category: str
    # In units of 10⁻¹⁸ of the provider's currency: of a thousand, or of one package.
    rate: int
    minimum: int
    maximum: int
    has_refill: bool
    can_cancel: bool
    order_type: str = order_types.DEFAULT
    has_drip_feed: bool = False

    @property
    def rate_micros(self) -> int:
        """The rate in micros, rounded up."""
        return resale.micros_of(self.rate)


def read(answer: list[object]) -> tuple[list[ProviderRow], list[str]]:
    """Parse all rows: the usable ones (unique ids), and a sentence for each skipped one."""
    rows: dict[str, ProviderRow] = {}
    skipped = []
    for place, given in enumerate(answer, start=1):
        try:
            row = _row(given)
            if row.service in rows:
                raise BadRow("its service id came before")
        except BadRow as fault:
            skipped.append(f"Row {place}{_called(given)} was skipped: {fault}.")
            continue
        rows[row.service] = row
    return list(rows.values()), skipped


def currencies(answer: list[object]) -> set[str]:
    """Currencies named by rows of the catalogue."""
    return {resale.currency_named(given.get("currency")) for given in answer if isinstance(given, dict)} - {""}


def _row(given: object) -> ProviderRow:
    if not isinstance(given, dict):
        raise BadRow("it is no row of fields")
    missing = [field for field in ("service", "name", "rate", "min", "max") if field not in given]
    if missing:
        raise BadRow(f"it has no {missing[0]}")
    order_type = _order_type(given.get("type", order_types.DEFAULT))
    service = read_count(given["service"])
    if not service:
        raise BadRow("its service id is no whole number above 0")
    is_package = form_of(order_type, "", "").is_package
    minimum, maximum = (1, 1) if is_package else _limits(given)
    return ProviderRow(
        service=str(service),
        name=_text(given["name"], "name", most=MAX_NAME_LENGTH),
        category=_category(given.get("category")),
        rate=_rate(given["rate"]),
        minimum=minimum,
        maximum=maximum,
        has_refill=_truth(given, "refill"),
        can_cancel=_truth(given, "cancel"),
        order_type=order_type,
        # Its runs are sent by us, so that an unreadable flag is no reason to skip the row.
        has_drip_feed=_boolean(given.get("dripfeed")) is True,
    )


def _order_type(value: object) -> str:
    """The type as our table writes it. One that the table doesn't have is kept: an operator says how it is ordered."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return order_types.DEFAULT
    name = _text(value, "type", most=order_types.MAX_TYPE_LENGTH)
    known = order_types.known_name(name) or name
    if known.lower() == order_types.SUBSCRIPTIONS.lower():
        raise BadRow("its type is Subscriptions, and an order of it has neither a link nor a quantity")
    return known


def _limits(given: dict[str, object]) -> tuple[int, int]:
    minimum, maximum = read_count(given["min"]), read_count(given["max"])
    if not minimum or not maximum:
        raise BadRow("its limits are no whole numbers above 0")
    if minimum > maximum:
        raise BadRow("its minimum is above its maximum")
    if minimum > pricing.MAX_QUANTITY:
        raise BadRow("its minimum is more than can be ordered here")
    return minimum, min(maximum, pricing.MAX_QUANTITY)


def _rate(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow("its rate is no price")
    try:
        rate = resale.read_rate(str(value))
    except ValueError as error:
        raise BadRow("its rate is no price that can be read exactly") from error
    if not 0 < resale.micros_of(rate) <= MAX_RATE_MICROS:
        raise BadRow("its rate is 0, or more than any price")
    return rate


def _category(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return NO_CATEGORY
    return _text(value, "category", most=MAX_CATEGORY_LENGTH)


def _text(value: object, field: str, *, most: int) -> str:
    """One line of text; what cannot be shown, and marks that only join or direct signs, are left out."""
    if not isinstance(value, str):
        raise BadRow(f"its {field} is no text")
    plain = html.unescape(value[:MAX_TEXT])
    shown = (" " if sign.isspace() else sign for sign in plain if unicodedata.category(sign) != "Cf")
    line = " ".join("".join(sign for sign in shown if sign.isprintable()).split())
    if not line:
        raise BadRow(f"its {field} is empty or has nothing that can be shown")
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _truth(given: dict[str, object], field: str) -> bool:
    truth = _boolean(given.get(field))
    if truth is None:
        raise BadRow(f"its {field} is neither true nor false")
    return truth


def _boolean(value: object) -> bool | None:
    """True or false in any form that panels write; None for anything else."""
    if isinstance(value, str):
        value = value.strip().lower()
    if isinstance(value, str | int | None):
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
    return None


def _called(given: object) -> str:
    """Short description of the row for messages."""
    number = read_count(given.get("service")) if isinstance(given, dict) else None
    return f" (service {number})" if number else ""
