"""API errors: one table of texts and codes, and the mapping from our exceptions to it."""

from dataclasses import dataclass

from panel.domain.errors import (
    BadLink,
    CancelNotAvailable,
    EmailNotConfirmed,
    InsufficientBalance,
    NotFound,
    OrderingClosed,
    OrderingHeld,
    PanelError,
    QuantityTooLarge,
    QuantityTooSmall,
    RefillNotAvailable,
    RequestIdUsed,
    SpendCapReached,
    TooManyTries,
    UnknownTool,
)

MAX_FIELD_LENGTH = 60


@dataclass(frozen=True, slots=True)
class ApiError:
    """An API error: the response's text, the code in its header, and what it means to the caller."""

    code: str
    text: str
    means: str


INVALID_KEY = ApiError(
    "invalid_api_key",
    "Invalid API key",
    "The key is missing, wrong or revoked, or it may not be used from your network.",
)
READ_ONLY_KEY = ApiError(
    "read_only_key",
    "API key is read-only",
    "The key may read, but not place, refill or cancel orders. Use a key that may order. Nothing was done.",
)
SPEND_CAP = ApiError(
    SpendCapReached.code,
    "Daily spend cap reached",
    "The order would cost more than this key may still spend today. The day begins at 00:00 UTC. Nothing was charged.",
)
INCORRECT_REQUEST = ApiError(
    "incorrect_request",
    "Incorrect request",
    "The request isn’t a POST, names an unknown action, lacks a field, has one of the wrong type, lists more than 100 "
    "IDs, sends add a field that the tool doesn’t take, or is larger than 1 MiB. If one field is wrong, the header "
    "X-Error-Field names it.",
)
INCORRECT_SERVICE = ApiError(
    "incorrect_service_id", "Incorrect service ID", "There is no such tool, or it is not offered any more."
)
BAD_LINK = ApiError(BadLink.code, "Bad link", "The link does not have the form that the tool’s page asks for.")
TOO_SMALL = ApiError(
    QuantityTooSmall.code, "Quantity less than minimal {limit}", "The quantity is below the tool’s minimum."
)
TOO_LARGE = ApiError(
    QuantityTooLarge.code, "Quantity more than maximum {limit}", "The quantity is above the tool’s maximum."
)
NO_FUNDS = ApiError(
    InsufficientBalance.code, "Not enough funds on balance", "The order costs more than your balance. Add funds first."
)
NOT_CONFIRMED = ApiError(
    EmailNotConfirmed.code,
    "Email not confirmed",
    "The account’s email is not confirmed yet, so the API places no orders. Open the link that we sent there, then "
    "call again. Nothing was charged.",
)
INCORRECT_ORDER = ApiError("incorrect_order_id", "Incorrect order ID", "You have no order of this number.")
NO_REFILL = ApiError("refill_not_found", "Refill not found", "You have no refill of this number.")
REFILL_REFUSED = ApiError(
    RefillNotAvailable.code,
    "Refill is not available",
    "The tool offers no refill, its window has ended, the order is not Completed, or a refill is running.",
)
CANCEL_REFUSED = ApiError(
    CancelNotAvailable.code,
    "Cancel is not available",
    "The tool offers no cancel, the order has ended, or you have asked already.",
)
ID_USED = ApiError(
    RequestIdUsed.code,
    "Request ID already used",
    "You sent this request id before, with another service, link, quantity or field. Nothing more was charged.",
)
CLOSED = ApiError(
    OrderingClosed.code,
    "Ordering is closed",
    "We have closed ordering for a while, so add places no orders; all other actions work. Wait as many seconds as the "
    "header Retry-After says, then send it again. Nothing was charged.",
)
TOO_MANY = ApiError(
    "too_many_requests",
    "Too many requests",
    "The status is 429. Wait as many seconds as the header Retry-After says. Nothing was done.",
)

API_ERRORS = (
    INVALID_KEY,
    READ_ONLY_KEY,
    INCORRECT_REQUEST,
    INCORRECT_SERVICE,
    BAD_LINK,
    TOO_SMALL,
    TOO_LARGE,
    NO_FUNDS,
    SPEND_CAP,
    NOT_CONFIRMED,
    INCORRECT_ORDER,
    NO_REFILL,
    REFILL_REFUSED,
    CANCEL_REFUSED,
    ID_USED,
    CLOSED,
    TOO_MANY,
)

_BY_ERROR: dict[type[PanelError], ApiError] = {
    UnknownTool: INCORRECT_SERVICE,
    BadLink: BAD_LINK,
    InsufficientBalance: NO_FUNDS,
    OrderingHeld: NO_FUNDS,
    SpendCapReached: SPEND_CAP,
    NotFound: INCORRECT_ORDER,
    RefillNotAvailable: REFILL_REFUSED,
    CancelNotAvailable: CANCEL_REFUSED,
    RequestIdUsed: ID_USED,
    OrderingClosed: CLOSED,
    TooManyTries: TOO_MANY,
}


class Refusal(Exception):
    """A call is refused with this error; `field` names the field of the call that it is about."""

    def __init__(
        self,
        api_error: ApiError,
        *,
        limit: int | None = None,
        field: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(api_error.code)
        self.api_error = api_error
        self.text = api_error.text.format(limit=limit)
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """Headers with the error code and the field. The caller chose its name, so only plain characters are sent."""
        headers = {"X-Error-Code": self.api_error.code}
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        if self.field is None:
            return headers
        plain = "".join(sign if sign.isascii() and sign.isprintable() else "?" for sign in self.field)
        return headers | {"X-Error-Field": plain[:MAX_FIELD_LENGTH]}


def refusal_of(error: PanelError) -> Refusal:
    """Map one of the panel's exceptions to an API error."""
    api_error = _BY_ERROR.get(type(error), INCORRECT_REQUEST)
    return Refusal(
        api_error,
        field=error.field if api_error is INCORRECT_REQUEST else None,
        retry_after_seconds=error.retry_after_seconds if isinstance(error, OrderingClosed | TooManyTries) else None,
    )


def error_body(api_error: ApiError) -> dict[str, str]:
    """The error as JSON, for the whole response or for one bad id among many."""
    return {"error": api_error.text}
