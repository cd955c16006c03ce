"""Reads one row of a provider's catalogue as an enemy would write it: every field is checked, or the row is skipped."""

import re
import unicodedata
from dataclasses import dataclass

from panel.domain import money, pricing
from panel.domain.errors import BadInput, BadMoney
from panel.domain.report import read_count

MOST_NAME_LENGTH = 200
MOST_CATEGORY_LENGTH = 100
MARGIN_DIGITS = 4
ONE_PERCENT = 10_000
PARTS_OF_ONE = 100 * ONE_PERCENT
MOST_PERCENT = 1_000

_MARKUP = re.compile(r"<\s*[/!?a-z]|javascript:|&#?\w+;", re.IGNORECASE)
_MARGIN = re.compile(r"([0-9]{1,4})(?:\.([0-9]{1,4}))?\s*%?", re.ASCII)
_TRUE = (True, 1, "1", "true")
_FALSE = (False, 0, "0", "false", "", None)


class BadRow(Exception):
    """This row can't be sold; the text says why."""


@dataclass(frozen=True, slots=True)
class Row:
    """A service of an upstream panel as its catalogue gives it, checked."""

    service: str
    name: str
    category: str
    rate_micros: int
    minimum: int
    maximum: int
    has_refill: bool
    can_cancel: bool


def read(answer: list[object]) -> tuple[list[Row], list[str]]:
    """The rows that can be sold, and of each other row a sentence that says why not. An id counts once."""
    rows: dict[str, Row] = {}
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


def read_margin(text: str) -> int:
    """A margin such as `20%` or `12.5%` in millionths. Raises BadInput."""
    match = _MARGIN.fullmatch(text.strip())
    if match is None or int(match.group(1)) > MOST_PERCENT:
        raise BadInput(f"Write the margin in percent, such as 20% or 12.5%, at most {MOST_PERCENT}%.", field="margin")
    return int(match.group(1)) * ONE_PERCENT + int((match.group(2) or "").ljust(MARGIN_DIGITS, "0"))


def price_of(rate_micros: int, *, margin: int) -> int:
    """The rate with the margin on it, to the micro above."""
    return -(-rate_micros * (PARTS_OF_ONE + margin) // PARTS_OF_ONE)


def _row(given: object) -> Row:
    if not isinstance(given, dict):
        raise BadRow("it is no row of fields")
    missing = [field for field in ("service", "name", "category", "rate", "min", "max") if field not in given]
    if missing:
        raise BadRow(f"it has no {missing[0]}")
    kind = given.get("type", "Default")
    if not isinstance(kind, str) or kind.strip().lower() != "default":
        raise BadRow("its type is not Default, so an order of it needs more than link and quantity")
    service = read_count(given["service"])
    if not service:
        raise BadRow("its service id is no whole number above 0")
    minimum, maximum = _limits(given)
    return Row(
        service=str(service),
        name=_text(given["name"], "name", most=MOST_NAME_LENGTH),
        category=_text(given["category"], "category", most=MOST_CATEGORY_LENGTH),
        rate_micros=_rate(given["rate"]),
        minimum=minimum,
        maximum=maximum,
        has_refill=_truth(given, "refill"),
        can_cancel=_truth(given, "cancel"),
    )


def _limits(given: dict[str, object]) -> tuple[int, int]:
    minimum, maximum = read_count(given["min"]), read_count(given["max"])
    if not minimum or not maximum:
        raise BadRow("its limits are no whole numbers above 0")
    if minimum > maximum:
        raise BadRow("its minimum is above its maximum")
    if minimum > pricing.MOST_QUANTITY:
        raise BadRow("its minimum is more than can be ordered here")
    return minimum, min(maximum, pricing.MOST_QUANTITY)


def _rate(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadRow("its rate is no price")
    try:
        micros = money.parse_price_micros(str(value))
    except BadMoney as error:
        raise BadRow("its rate is no price of at most six digits after the point") from error
    if not 0 < micros <= pricing.MOST_PRICE_MICROS_PER_THOUSAND:
        raise BadRow("its rate is 0, or more than can be charged here")
    return micros


def _text(value: object, field: str, *, most: int) -> str:
    """One line of text; marks that only join or direct signs, as in emoji, are left out."""
    if not isinstance(value, str):
        raise BadRow(f"its {field} is no text")
    line = " ".join("".join(sign for sign in value if unicodedata.category(sign) != "Cf").split())
    if not line or not line.isprintable():
        raise BadRow(f"its {field} is empty or has characters that cannot be shown")
    if len(line) > most:
        raise BadRow(f"its {field} is longer than {most} characters")
    if _MARKUP.search(line):
        raise BadRow(f"its {field} has markup in it")
    return line


def _truth(given: dict[str, object], field: str) -> bool:
    value = given.get(field)
    if isinstance(value, str):
        value = value.strip().lower()
    if isinstance(value, str | int | None):
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
    raise BadRow(f"its {field} is neither true nor false")


def _called(given: object) -> str:
    """Which service the row is about, as far as that can be said on one short line."""
    number = read_count(given.get("service")) if isinstance(given, dict) else None
    return f" (service {number})" if number else ""
