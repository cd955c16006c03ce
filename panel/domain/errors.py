"""Exceptions for expected failures. Each message is a whole sentence that customers may see."""


class PanelError(Exception):
    """An expected failure: `code` is stable for programs, `field` is the form field it is about."""

    code = "panel_error"
    http_status = 422
    field: str | None = None

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if field is not None:
            self.field = field


class BadInput(PanelError):
    """Invalid input."""

    code = "bad_input"


class UnreadableText(BadInput):
    """A field, the query string or a header contains NUL or half of a surrogate pair."""

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


class BadField(BadInput):
    """A field of a tool's own form is missing, has a wrong value, or isn't taken; `field` is its name in the API."""

    code = "bad_field"


class UnknownTool(PanelError):
    code = "unknown_tool"
    field = "tool"


class InsufficientBalance(PanelError):
    code = "insufficient_balance"


class OrderingHeld(PanelError):
    """A payment was taken back that the balance didn't cover; an operator decides."""

    code = "ordering_held"
    http_status = 409


class SpendCapReached(PanelError):
    """The order would cost more than the API key may still spend today."""

    code = "daily_spend_cap"


class RequestIdUsed(PanelError):
    """The idempotency key was used before with other parameters."""

    code = "request_id_used"
    http_status = 409


class TermsChanged(PanelError):
    """The tool's terms have changed between form and order."""

    code = "terms_changed"
    http_status = 409


class IllegalTransition(PanelError):
    code = "illegal_transition"
    http_status = 409


class StaleOrder(PanelError):
    """Optimistic locking: the order has changed in the meantime."""

    code = "stale_order"
    http_status = 409


class StaleForm(PanelError):
    """Optimistic locking: what the form is about has changed since it was opened, perhaps by the same form."""

    code = "stale_form"
    http_status = 409


class ExpiredForm(PanelError):
    """CSRF token missing or of another session; nothing was done."""

    code = "expired_form"
    http_status = 403


class NotFound(PanelError):
    """The record doesn't exist or belongs to someone else: the response is the same."""

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
    """The account's email must be confirmed first."""

    code = "email_not_confirmed"
    http_status = 403


class LinkIsSpent(PanelError):
    """A link from an email that no longer works: used, replaced or expired."""

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


class OrderingClosed(PanelError):
    """Operators have closed ordering for a while."""

    code = "ordering_closed"
    http_status = 409

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class RoleNotAllowed(PanelError):
    """The staff member's role doesn't allow the action."""

    code = "role_not_allowed"
    http_status = 403


class BadCatalogue(PanelError):
    """A catalogue file that can't be imported; the message names file, line and field."""

    code = "bad_catalogue"


class ActionRefused(PanelError):
    """An operator's action that the current state doesn't allow."""

    code = "refused"
    http_status = 409
