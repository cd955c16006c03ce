"""Waiting order: an order kept in a signed address while its customer adds funds, and read from there again.

The check page links to `/balance/add?amount=…&next=<path>`. Pages that add funds carry `next` along unread and call
`find(next, ...)`, the one function they need: it answers what the order costs now, how much is still missing and the
path back to the check page, or None for every `next` that is not a waiting order of this customer.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer

from panel.domain.errors import PanelError
from panel.domain.money import NANOS_PER_UNIT
from panel.services.money import deposits, ledger
from panel.services.orders import placing
from panel.services.orders.placing import Quote

PATH = "/orders/waiting"
PARAMETER = "order"
# Long enough for a bank transfer over a weekend.
KEPT_FOR = timedelta(days=7)
_NANOS_PER_CENT = NANOS_PER_UNIT // 100
_SALT = "waiting-order"


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """What was to be ordered when the funds did not suffice, as it was typed."""

    tool: str
    link: str
    quantity: str
    request_id: str


@dataclass(frozen=True, slots=True)
class WaitingQuote:
    """A waiting order as it would be placed now."""

    path: str
    quote: Quote
    missing_nanos: int

    @property
    def can_be_placed(self) -> bool:
        return not self.missing_nanos


def path_of(waiting: WaitingOrder, *, customer_id: int, now: datetime) -> str:
    """The address that brings this customer, and nobody else, back to the check page of the order."""
    until = int((now + KEPT_FOR).timestamp())
    fields = [customer_id, until, waiting.tool, waiting.link, waiting.quantity, waiting.request_id]
    return f"{PATH}?{urlencode({PARAMETER: _signer().dumps(fields)})}"


def amount_to_add(missing_nanos: int) -> int:
    """What to add so that the missing amount is there: whole cents, within the limits of one deposit."""
    in_cents = -(-missing_nanos // _NANOS_PER_CENT) * _NANOS_PER_CENT
    return min(max(in_cents, deposits.LEAST_NANOS), deposits.MOST_NANOS)


def find(path: str, *, customer_id: int, now: datetime) -> WaitingQuote | None:
    """The waiting order at this address with its cost and what is missing; None if it can't be placed any more.

    None too for any other address, another customer's order, and an order that has been placed meanwhile.
    """
    waiting = read(_token(path), customer_id=customer_id, now=now)
    if waiting is None or placing.find_by_request(customer_id, request_id=waiting.request_id) is not None:
        return None
    try:
        quote = placing.quote(waiting.tool, link=waiting.link, quantity=waiting.quantity)
    except PanelError:
        return None
    missing_nanos = max(0, quote.charge_nanos - ledger.balance_nanos(customer_id))
    return WaitingQuote(path, quote, missing_nanos)


def read(token: str, *, customer_id: int, now: datetime) -> WaitingOrder | None:
    """What the token keeps, if it is this customer's and has not expired."""
    try:
        owner_id, until, *fields = _signer().loads(token)
    except (BadSignature, ValueError):
        return None
    if owner_id != customer_id or now.timestamp() > until:
        return None
    return WaitingOrder(*fields)


def _token(path: str) -> str:
    try:
        parts = urlsplit(path)
    except ValueError:
        return ""
    if (parts.scheme, parts.netloc, parts.path) != ("", "", PATH):
        return ""
    return parse_qs(parts.query).get(PARAMETER, [""])[0]


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.secret_key or "", salt=_SALT)
