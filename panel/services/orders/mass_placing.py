"""Many orders from one text: `tool | link | quantity` a line, each line an order of its own or a reason why not.

A line's request id is the form's and the line's number, so that sending the form again buys nothing twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from panel.domain.errors import BadInput, PanelError
from panel.services.orders import placing as order_placing
from panel.services.orders.placing import Placing, Quote

MOST_LINES = 100


@dataclass(frozen=True, slots=True)
class MassOrderLine:
    """A line as it was typed, under its number in the text."""

    number: int
    text: str

    def placing(self, *, request_id: str, terms: Mapping[str, int] | None) -> Placing:
        """The line as a request to place an order under the terms agreed to. Raises BadInput."""
        tool, link, quantity = _parts(self.text)
        if terms is not None and tool not in terms:
            # Its check failed, and what was wrong with it is what the customer has to know.
            order_placing.quote(tool, link=link, quantity=quantity)
            raise BadInput("This line could not be ordered when you checked it, and can be now. Check it again.")
        terms_id = None if terms is None else terms[tool]
        return Placing(tool, link, quantity, request_id=f"{request_id}:{self.number}", terms_id=terms_id)


@dataclass(frozen=True, slots=True)
class Checked:
    """A line with what it would order, or why it can't be ordered."""

    line: MassOrderLine
    quote: Quote | None
    fault: str


def read(text: str) -> list[MassOrderLine]:
    """The lines that have something in them. Raises BadInput when there are none, or too many."""
    written = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [MassOrderLine(number, line.strip()) for number, line in enumerate(written, start=1) if line.strip()]
    if not lines:
        raise BadInput("Write one order a line: tool | link | quantity.", field="lines")
    if len(lines) > MOST_LINES:
        message = f"These are {len(lines):,} lines. Send at most {MOST_LINES} at once."
        raise BadInput(message, field="lines")
    return lines


def check(lines: list[MassOrderLine]) -> list[Checked]:
    """Each line with its quote or its fault; nothing is written."""
    return [_check(line) for line in lines]


def _check(line: MassOrderLine) -> Checked:
    try:
        tool, link, quantity = _parts(line.text)
        return Checked(line, order_placing.quote(tool, link=link, quantity=quantity), "")
    except PanelError as error:
        return Checked(line, None, error.message)


def _parts(text: str) -> tuple[str, str, str]:
    """Tool, link and quantity: the first and the last | part the line, since a link may have some of its own."""
    tool, _, rest = text.partition("|")
    link, bar, quantity = rest.rpartition("|")
    if not bar:
        raise BadInput("A line has three parts with | between them: tool | link | quantity.")
    return tool.strip().lower(), link.strip(), quantity.strip()
