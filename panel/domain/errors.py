"""Exceptions for expected failures. Each message is a whole sentence that a customer may read."""


class PanelError(Exception):
    """An expected failure: `code` is stable for machines, `field` names the form field it is about."""

    code = "panel_error"
    http_status = 422
    field: str | None = None

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if field is not None:
            self.field = field


class BadInput(PanelError):
    """Something typed or sent is not of the form it must have."""

    code = "bad_input"


class UnreadableText(BadInput):
    """A field, a query or a header holds NUL or half of a surrogate pair."""

    code = "unreadable_text"


class BadMoney(BadInput):
    code = "bad_money"


class BadQuantity(BadInput):
    code = "bad_quantity"
    field = "quantity"


class QuantityTooSmall(BadQuantity):
    code = "quantity_too_small"


class QuantityTooLarge(BadQuantity):
    code = "quantity_too_large"


class BadLink(BadInput):
    code = "bad_link"
    field = "link"


class UnknownTool(PanelError):
    code = "unknown_tool"
    field = "tool"


class InsufficientBalance(PanelError):
    code = "insufficient_balance"


class RequestIdUsed(PanelError):
    """The same idempotency key came with other parameters."""

    code = "request_id_used"
    http_status = 409


class TermsChanged(PanelError):
    """The tool's terms moved between the form and the order."""

    code = "terms_changed"
    http_status = 409


class IllegalTransition(PanelError):
    code = "illegal_transition"
    http_status = 409


class StaleOrder(PanelError):
    """Somebody else moved the order first."""

    code = "stale_order"
    http_status = 409


class StaleForm(PanelError):
    """What the form was about has moved since it was opened, perhaps by the form itself."""

    code = "stale_form"
    http_status = 409


class ExpiredForm(PanelError):
    """The form's token is missing or that of another session; nothing the form asks for was done."""

    code = "expired_form"
    http_status = 403


class NotFound(PanelError):
    """Not there, or not yours: the answer is the same."""

    code = "not_found"
    http_status = 404


class RefillNotAvailable(PanelError):
    code = "refill_not_available"
    http_status = 409


class CancelNotAvailable(PanelError):
    code = "cancel_not_available"
    http_status = 409


class EmailTaken(PanelError):
    code = "email_taken"
    field = "email"


class EmailNotConfirmed(PanelError):
    """The account's email must be confirmed before this opens."""

    code = "email_not_confirmed"
    http_status = 403


class LinkIsSpent(PanelError):
    """A mailed link that no longer works: used, replaced or expired."""

    code = "link_is_spent"
    http_status = 410


class BadCredentials(PanelError):
    code = "bad_credentials"
    http_status = 401


class AccountDisabled(PanelError):
    """The password was correct, but an operator has disabled the account."""

    code = "account_disabled"
    http_status = 403


class TooManyTries(PanelError):
    code = "too_many_tries"
    http_status = 429

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BadCatalogue(PanelError):
    """A catalogue file that cannot be imported; the message names file, line and field."""

    code = "bad_catalogue"


class ActionRefused(PanelError):
    """An operator's action that the current state does not allow."""

    code = "refused"
    http_status = 409
