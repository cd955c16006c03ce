"""Mass orders: one `tool | link | quantity` per line, with `name=value` for a tool's own fields after that.

Each line becomes an order or gets an error.

The idempotency key of a line is the form's key plus the line number, so that sending the form again orders nothing
twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from panel.domain import pricing
from panel.domain.errors import BadInput, PanelError
from panel.domain.forms import mass_line, order_types
from panel.domain.forms.order_form import OrderForm
from panel.services.catalogue import tool_search, tools
from panel.services.orders import order_fields
from panel.services.orders import placing as order_placing
from panel.services.orders.order_fields import ShownField
from panel.services.orders.placing import Placing, Quote

MAX_LINES = 100
PARTS = "A line has three parts with | between them: tool | link | quantity."
# Tool names in messages are truncated to this length.
_MAX_NAME_LENGTH = 80


@dataclass(frozen=True, slots=True)
class AgreedTerms:
    """The terms and the price that the check page showed of a tool, where it did."""

    terms_id: int | None
    price: int | None


@dataclass(frozen=True, slots=True)
class MassOrderLine:
    """A line with its number in the text, and the parsed order or the reason why it can't be parsed."""

    number: int
    text: str
    tool: str = ""
    link: str = ""
    quantity: str = ""
    fault: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    def quote(self, *, customer_id: int) -> Quote:
        """Quote the order under the current terms, at this customer's price. Raises the line's error."""
        if self.fault:
            raise BadInput(self.fault)
        return order_placing.quote(
            self.tool, customer_id=customer_id, link=self.link, quantity=self.quantity, fields=self.fields
        )

    def placing(self, *, customer_id: int, request_id: str, terms: Mapping[str, AgreedTerms] | None) -> Placing:
        """The line as a request to place an order under the agreed terms. Raises BadInput."""
        if self.fault:
            raise BadInput(self.fault)
        if terms is not None and self.tool not in terms:
            # The check failed for this line: show that error first, if it still applies.
            self.quote(customer_id=customer_id)
            raise BadInput("This line could not be ordered when you checked it, and can be now. Check it again.")
        agreed = AgreedTerms(None, None) if terms is None else terms[self.tool]
        request_id = f"{request_id}:{self.number}"
        return Placing(
            self.tool, self.link, self.quantity, request_id, agreed.terms_id, self.fields, shown_price=agreed.price
        )


@dataclass(frozen=True, slots=True)
class Checked:
    """A line with its quote, or the reason why it can't be ordered."""

    line: MassOrderLine
    quote: Quote | None
    fault: str

    @property
    def fields(self) -> list[ShownField]:
        return [] if self.quote is None else order_fields.shown(self.quote.offer.form, self.quote.fields)


def read(text: str) -> list[MassOrderLine]:
    """Parse the non-empty lines. Raises BadInput for none or too many."""
    written = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [_parsed(number, line.strip()) for number, line in enumerate(written, start=1) if line.strip()]
    if not lines:
        raise BadInput("Enter one order per line: tool | link | quantity.", field="lines")
    if len(lines) > MAX_LINES:
        message = f"These are {len(lines):,} lines. Send at most {MAX_LINES} at once."
        raise BadInput(message, field="lines")
    slugs = tool_search.slugs_named({line.tool for line in lines if line.tool})
    called = {slug for found in slugs.values() for slug in found}
    forms = {slug: offer.form for slug in called if (offer := tools.find_any(slug)) is not None}
    return [_with_parts(_with_tool(line, slugs.get(line.tool, [])), forms) for line in lines]


def check(lines: list[MassOrderLine], *, customer_id: int) -> list[Checked]:
    """Each line with its quote or its error; nothing is written."""
    return [_check(line, customer_id) for line in lines]


def _check(line: MassOrderLine, customer_id: int) -> Checked:
    try:
        return Checked(line, line.quote(customer_id=customer_id), "")
    except PanelError as error:
        return Checked(line, None, error.message)


def _parsed(number: int, text: str) -> MassOrderLine:
    """The tool, and what follows it as the link."""
    tool, bar, rest = text.partition("|")
    return MassOrderLine(number, text, tool.strip(), rest) if bar else MassOrderLine(number, text, fault=PARTS)


def _with_parts(line: MassOrderLine, forms: Mapping[str, OrderForm]) -> MassOrderLine:
    """Link, quantity and fields, split from the end, since a link may contain |."""
    if line.fault:
        return line
    form = forms.get(line.tool, order_types.TYPES[order_types.DEFAULT])
    rest, fields = mass_line.split(form, line.link)
    parts = PARTS if form.takes_quantity and not form.fields else f"A line of this tool is {mass_line.pattern(form)}."
    link, bar, last = rest.rpartition("|")
    if not form.takes_quantity:
        if bar and last.strip().isdigit():
            return replace(line, fault=f"This tool takes no quantity. {parts}")
        return replace(line, link=rest.strip(), fields=fields)
    if not bar:
        return replace(line, fault=parts)
    return replace(line, link=link.strip(), quantity=pricing.ungrouped(last), fields=fields)


def _with_tool(line: MassOrderLine, slugs: list[str]) -> MassOrderLine:
    """The line with the tool's slug, which may be entered as slug, id or name."""
    if line.fault or not line.tool:
        return replace(line, fault=line.fault or f"The tool is missing. {PARTS}")
    called = line.tool[:_MAX_NAME_LENGTH]
    if len(slugs) > 1:
        which = ", ".join(slugs)
        return replace(line, fault=f"Several tools are called “{called}”. Use a short name: {which}.")
    # Unknown and hidden tools are refused later, so that a line that was already placed is still found by its key.
    return replace(line, tool=slugs[0] if slugs else line.tool.lower())
