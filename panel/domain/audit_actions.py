"""Actions in the audit log: the name that is stored, and its label in plain words. Stored names never change."""

from enum import StrEnum


class AuditAction(StrEnum):
    """Everything that the panel records in the audit log."""

    ANNOUNCEMENT_DRAFT = "announcement draft"
    ANNOUNCEMENT_EDIT = "announcement edit"
    ANNOUNCEMENT_PIN = "announcement pin"
    ANNOUNCEMENT_PUBLISH = "announcement publish"
    ANNOUNCEMENT_UNPIN = "announcement unpin"
    ANNOUNCEMENT_WITHDRAW = "announcement withdraw"
    APPROVAL_CONFIRM = "approvals confirm"
    APPROVAL_LIMIT = "approvals limit"
    APPROVAL_PROPOSE = "approvals propose"
    APPROVAL_REFUSE = "approvals refuse"
    APPROVAL_TAKE_BACK = "approvals take back"
    BALANCE_ADD = "balance add"
    CANCELLATION_ANSWER = "cancellations answer"
    CANNED_ANSWER_ADD = "canned-answers add"
    CANNED_ANSWER_EDIT = "canned-answers edit"
    CANNED_ANSWER_REMOVE = "canned-answers remove"
    CUSTOMER_CONFIRM_EMAIL = "customers confirm email"
    CUSTOMER_CREDIT = "customers credit"
    CUSTOMER_DEBIT = "customers debit"
    # Followed by the deposit's reference.
    CUSTOMER_DEPOSIT = "customers deposit"
    CUSTOMER_DISABLE = "customers disable"
    CUSTOMER_ENABLE = "customers enable"
    CUSTOMER_LOG_OUT = "customers sign out"
    CUSTOMER_ROLE = "customers role"
    CUSTOMER_SEE_AS = "customers see as"
    DEPOSIT_REFUSE = "deposits refuse"
    DEPOSIT_RELEASE_ORDERING = "deposits release ordering"
    INCIDENT_DISMISS = "incidents dismiss"
    INCIDENT_OPEN = "incidents open"
    INCIDENT_PLAN = "incidents plan"
    INCIDENT_PUBLISH = "incidents publish"
    INCIDENT_UPDATE = "incidents update"
    LOW_BALANCE = "low balance"
    MAINTENANCE_BEGIN = "maintenance begin"
    MAINTENANCE_END = "maintenance end"
    MIGRATE_IN = "migrate-in"
    ORDER_ASK = "orders ask"
    ORDER_CANCEL = "orders cancel"
    ORDER_CLAIM = "orders claim"
    ORDER_GOODWILL = "orders goodwill"
    ORDER_RELEASE = "orders release"
    ORDER_REVIEW = "orders review"
    ORDER_SET = "orders set"
    PAYMENT_METHOD_CHANGE = "payment methods change"
    PAYMENTS_RECONCILE = "payments reconcile"
    PRICE_GROUP_ADD = "price group add"
    PRICE_GROUP_CHANGE = "price group change"
    PRICE_GROUP_GIVE = "price group give"
    PRICE_GROUP_PRICE = "price group price"
    PRICE_GROUP_PRICE_REMOVE = "price group price remove"
    PRICE_GROUP_REMOVE = "price group remove"
    PROVIDER_ADD = "providers add"
    PROVIDER_ASK_BALANCE = "providers ask balance"
    PROVIDER_CALLS_AT_ONCE = "providers calls at once"
    PROVIDER_IMPORT = "providers import"
    PROVIDER_PAUSE = "providers pause"
    PROVIDER_PRICE_RULES = "providers price rules"
    PROVIDER_PUBLIC_NAME = "providers public name"
    PROVIDER_REPLACE_KEY = "providers replace key"
    PROVIDER_RESUME = "providers resume"
    PROVIDER_SCHEDULE = "providers schedule"
    PROVIDER_UNDO_IMPORT = "providers undo import"
    REFILL_BEGIN = "refills begin"
    REFILL_END = "refills end"
    REVIEW_RESOLVE = "reviews resolve"
    SETTING_CHANGE = "settings change"
    STAFF_INVITE = "staff invite"
    STAFF_JOIN = "staff join"
    STAFF_WITHDRAW = "staff withdraw"
    TICKET_ANSWER = "tickets answer"
    TICKET_ANSWER_AND_CLOSE = "tickets answer and close"
    TICKET_ASSIGN = "tickets assign"
    TICKET_CLOSE = "tickets close"
    TICKET_NOTE = "tickets note"
    TICKET_REOPEN = "tickets reopen"
    TIME_RULES_RESUME = "time-rules resume"
    TOOL_ADD = "tools add"
    TOOL_BULK = "tools bulk"
    TOOL_CATEGORY_ORDER = "tools category order"
    TOOL_EDIT = "tools edit"
    TOOL_HIDE = "tools hide"
    TOOL_ROUTE_ADD = "tools route add"
    TOOL_ROUTE_REMOVE = "tools route remove"
    TOOL_ROUTE_UP = "tools route up"
    TOOL_ROUTES = "tools routes"
    TOOL_SCHEDULE = "tools schedule"
    TOOL_SCHEDULE_APPLY = "tools schedule apply"
    TOOL_SCHEDULE_CANCEL = "tools schedule cancel"
    TOOL_SCHEDULE_FAIL = "tools schedule fail"
    TOOL_SET = "tools set"
    TOOL_SHOW = "tools show"
    TOOL_UNSET = "tools unset"
    TWO_FACTOR_CODE_USED = "second factor code used"
    TWO_FACTOR_NEW_CODES = "second factor new codes"
    TWO_FACTOR_REPLACED = "second factor replaced"
    TWO_FACTOR_RESET = "second factor reset"
    TWO_FACTOR_SET_UP = "second factor set up"
    TWO_FACTOR_TURNED_OFF = "second factor turned off"
    VOUCHER_MAKE = "vouchers make"
    VOUCHER_REVOKE = "vouchers revoke"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    AuditAction.ANNOUNCEMENT_DRAFT: "Drafted an announcement",
    AuditAction.ANNOUNCEMENT_EDIT: "Edited an announcement",
    AuditAction.ANNOUNCEMENT_PIN: "Pinned an announcement",
    AuditAction.ANNOUNCEMENT_PUBLISH: "Published an announcement",
    AuditAction.ANNOUNCEMENT_UNPIN: "Unpinned an announcement",
    AuditAction.ANNOUNCEMENT_WITHDRAW: "Withdrew an announcement",
    AuditAction.APPROVAL_CONFIRM: "Approved a proposal",
    AuditAction.APPROVAL_LIMIT: "Changed the approval limit",
    AuditAction.APPROVAL_PROPOSE: "Asked for approval",
    AuditAction.APPROVAL_REFUSE: "Refused a proposal",
    AuditAction.APPROVAL_TAKE_BACK: "Withdrew a proposal",
    AuditAction.BALANCE_ADD: "Added to a balance on the server",
    AuditAction.CANCELLATION_ANSWER: "Answered a cancellation request",
    AuditAction.CANNED_ANSWER_ADD: "Added a canned answer",
    AuditAction.CANNED_ANSWER_EDIT: "Edited a canned answer",
    AuditAction.CANNED_ANSWER_REMOVE: "Removed a canned answer",
    AuditAction.CUSTOMER_CONFIRM_EMAIL: "Confirmed an email",
    AuditAction.CUSTOMER_CREDIT: "Credited a balance",
    AuditAction.CUSTOMER_DEBIT: "Debited a balance",
    AuditAction.CUSTOMER_DEPOSIT: "Confirmed a deposit",
    AuditAction.CUSTOMER_DISABLE: "Disabled an account",
    AuditAction.CUSTOMER_ENABLE: "Enabled an account",
    AuditAction.CUSTOMER_LOG_OUT: "Logged out all devices",
    AuditAction.CUSTOMER_ROLE: "Changed a role",
    AuditAction.CUSTOMER_SEE_AS: "Viewed the site as a customer",
    AuditAction.DEPOSIT_REFUSE: "Refused a deposit",
    AuditAction.DEPOSIT_RELEASE_ORDERING: "Allowed ordering after a chargeback",
    AuditAction.INCIDENT_DISMISS: "Dismissed a proposed incident",
    AuditAction.INCIDENT_OPEN: "Opened an incident",
    AuditAction.INCIDENT_PLAN: "Planned maintenance",
    AuditAction.INCIDENT_PUBLISH: "Published a proposed incident",
    AuditAction.INCIDENT_UPDATE: "Updated an incident",
    AuditAction.LOW_BALANCE: "Set a low balance alert",
    AuditAction.MAINTENANCE_BEGIN: "Closed ordering",
    AuditAction.MAINTENANCE_END: "Opened ordering",
    AuditAction.MIGRATE_IN: "Imported data from another panel",
    AuditAction.ORDER_ASK: "Asked the provider about an order",
    AuditAction.ORDER_CANCEL: "Canceled an order",
    AuditAction.ORDER_CLAIM: "Took an order",
    AuditAction.ORDER_GOODWILL: "Returned money as goodwill",
    AuditAction.ORDER_RELEASE: "Released an order",
    AuditAction.ORDER_REVIEW: "Opened a review",
    AuditAction.ORDER_SET: "Set an order’s status",
    AuditAction.PAYMENT_METHOD_CHANGE: "Changed a payment method",
    AuditAction.PAYMENTS_RECONCILE: "Compared payments with the gateway",
    AuditAction.PRICE_GROUP_ADD: "Added a price group",
    AuditAction.PRICE_GROUP_CHANGE: "Changed a price group",
    AuditAction.PRICE_GROUP_GIVE: "Changed a customer’s price group",
    AuditAction.PRICE_GROUP_PRICE: "Set a price of a price group",
    AuditAction.PRICE_GROUP_PRICE_REMOVE: "Removed a price of a price group",
    AuditAction.PRICE_GROUP_REMOVE: "Removed a price group",
    AuditAction.PROVIDER_ADD: "Added a provider",
    AuditAction.PROVIDER_ASK_BALANCE: "Asked a provider for its balance",
    AuditAction.PROVIDER_CALLS_AT_ONCE: "Changed a provider’s concurrent calls",
    AuditAction.PROVIDER_IMPORT: "Imported tools",
    AuditAction.PROVIDER_PAUSE: "Paused a provider",
    AuditAction.PROVIDER_PRICE_RULES: "Changed the prices of imported tools",
    AuditAction.PROVIDER_PUBLIC_NAME: "Changed a provider’s public name",
    AuditAction.PROVIDER_REPLACE_KEY: "Replaced a provider’s key",
    AuditAction.PROVIDER_RESUME: "Resumed a provider",
    AuditAction.PROVIDER_SCHEDULE: "Changed an import schedule",
    AuditAction.PROVIDER_UNDO_IMPORT: "Undid an import",
    AuditAction.REFILL_BEGIN: "Started a refill",
    AuditAction.REFILL_END: "Ended a refill",
    AuditAction.REVIEW_RESOLVE: "Resolved a review",
    AuditAction.SETTING_CHANGE: "Changed a setting",
    AuditAction.STAFF_INVITE: "Invited a colleague",
    AuditAction.STAFF_JOIN: "Joined the staff",
    AuditAction.STAFF_WITHDRAW: "Withdrew an invitation",
    AuditAction.TICKET_ANSWER: "Answered a ticket",
    AuditAction.TICKET_ANSWER_AND_CLOSE: "Answered and closed a ticket",
    AuditAction.TICKET_ASSIGN: "Assigned a ticket",
    AuditAction.TICKET_CLOSE: "Closed a ticket",
    AuditAction.TICKET_NOTE: "Added a note to a ticket",
    AuditAction.TICKET_REOPEN: "Reopened a ticket",
    AuditAction.TIME_RULES_RESUME: "Resumed the time rules",
    AuditAction.TOOL_ADD: "Added a tool",
    AuditAction.TOOL_BULK: "Changed several tools",
    AuditAction.TOOL_CATEGORY_ORDER: "Changed the order of categories",
    AuditAction.TOOL_EDIT: "Changed a tool",
    AuditAction.TOOL_HIDE: "Hid a tool",
    AuditAction.TOOL_ROUTE_ADD: "Added a provider to a tool",
    AuditAction.TOOL_ROUTE_REMOVE: "Removed a provider from a tool",
    AuditAction.TOOL_ROUTE_UP: "Moved a provider of a tool up",
    AuditAction.TOOL_ROUTES: "Changed how a tool chooses its provider",
    AuditAction.TOOL_SCHEDULE: "Scheduled a change of a tool",
    AuditAction.TOOL_SCHEDULE_APPLY: "Applied a scheduled change",
    AuditAction.TOOL_SCHEDULE_CANCEL: "Canceled a scheduled change",
    AuditAction.TOOL_SCHEDULE_FAIL: "Couldn’t apply a scheduled change",
    AuditAction.TOOL_SET: "Set a field of a tool",
    AuditAction.TOOL_SHOW: "Offered a tool",
    AuditAction.TOOL_UNSET: "Cleared a field of a tool",
    AuditAction.TWO_FACTOR_CODE_USED: "Logged in with a recovery code",
    AuditAction.TWO_FACTOR_NEW_CODES: "Created new recovery codes",
    AuditAction.TWO_FACTOR_REPLACED: "Replaced an authenticator app",
    AuditAction.TWO_FACTOR_RESET: "Reset two-factor authentication",
    AuditAction.TWO_FACTOR_SET_UP: "Turned on two-factor authentication",
    AuditAction.TWO_FACTOR_TURNED_OFF: "Turned off two-factor authentication",
    AuditAction.VOUCHER_MAKE: "Created vouchers",
    AuditAction.VOUCHER_REVOKE: "Revoked a voucher",
}


def label_of(stored: str) -> str:
    """The label of a stored name; the name itself for one that no version of this list has."""
    found = [action for action in AuditAction if f"{stored} ".startswith(f"{action} ")]
    return max(found, key=len).label if found else stored


def labeled_with(text: str) -> list[AuditAction]:
    """The actions whose label has this text, whatever its case and apostrophes."""
    wanted = _plain(text)
    return [action for action in AuditAction if wanted in _plain(action.label)]


def _plain(text: str) -> str:
    return text.casefold().replace("’", "'")
