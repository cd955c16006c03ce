"""Waiting order: a checked order kept in a signed URL while its customer adds funds.

The check page links to `/balance/add?amount=…&next=<path>`. Pages that add funds pass `next` through and call
`find(next, ...)`, the only function they need: it returns the current cost, the missing amount and the path back to the
check page, or None for every `next` that is not a waiting order of this customer.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

from itsdangerous import BadSignature, URLSafeSerializer

from panel import app_context
from panel.domain.errors import PanelError
from panel.domain.money import NANOS_PER_UNIT
from panel.services.money import deposits, ledger
from panel.services.orders import placing
from panel.services.orders.placing import Quote

PATH = "/orders/waiting"
PARAMETER = "order"
# A longer address is not passed on by every proxy.
MAX_PATH_LENGTH = 2_000
# Long enough for a bank transfer over a weekend.
KEPT_FOR = timedelta(days=7)
_NANOS_PER_CENT = NANOS_PER_UNIT // 100
_SALT = "waiting-order"


@dataclass(frozen=True, slots=True)
class WaitingOrder:
    """An order that the balance didn't cover, as entered."""

    tool: str
    link: str
    quantity: str
    request_id: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitingQuote:
    """A waiting order with its current quote."""

    path: str
    quote: Quote
    missing_nanos: int

    @property
    def can_be_placed(self) -> bool:
        return not self.missing_nanos


def path_of(waiting: WaitingOrder, *, customer_id: int, now: datetime) -> str:
    """The signed path back to the check page, valid for this customer only; empty if it would be too long."""
    until = int((now + KEPT_FOR).timestamp())
    fields: list[object] = [customer_id, until, waiting.tool, waiting.link, waiting.quantity, waiting.request_id]
    if waiting.fields:
        fields.append(waiting.fields)
    path = f"{PATH}?{urlencode({PARAMETER: _signer().dumps(fields)})}"
    return path if len(path) <= MAX_PATH_LENGTH else ""


def amount_to_add(missing_nanos: int) -> int:
    """The deposit that covers the missing amount: whole cents, within the limits of one deposit."""
    in_cents = -(-missing_nanos // _NANOS_PER_CENT) * _NANOS_PER_CENT
    return min(max(in_cents, deposits.MIN_NANOS), deposits.MAX_NANOS)


def find(path: str, *, customer_id: int, now: datetime) -> WaitingQuote | None:
    """The waiting order at this path with its cost and the missing amount; None if it can't be placed any more.

    Also None for any other path, another customer's order, and an order that has been placed in the meantime.
    """
    waiting = read(_token(path), customer_id=customer_id, now=now)
    if waiting is None or placing.find_by_request(customer_id, request_id=waiting.request_id) is not None:
        return None
    try:
        quote = placing.quote(
            waiting.tool,
            customer_id=customer_id,
            link=waiting.link,
            quantity=waiting.quantity,
            fields=waiting.fields,
        )
    except PanelError:
        return None
    missing_nanos = max(0, quote.charge_nanos - ledger.balance_nanos(customer_id))
    return WaitingQuote(path, quote, missing_nanos)


def read(token: str, *, customer_id: int, now: datetime) -> WaitingOrder | None:
    """Decode the token, if it is this customer's and has not expired."""
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
    return URLSafeSerializer(app_context.secret_key(), salt=_SALT)
