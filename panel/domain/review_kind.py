"""Review kinds: why an operator has to look, with the label of each in the office."""

from enum import StrEnum


class ReviewKind(StrEnum):
    """A review's kind, in the order in which the office lists the kinds."""

    UNCONFIRMED = "unconfirmed"
    UNCONFIRMED_REFILL = "unconfirmed_refill"
    CANCEL_BY_HAND = "cancel_by_hand"
    REFILL_BY_HAND = "refill_by_hand"
    REFILL_SLOW = "refill_slow"
    REPORT = "report"
    REFILL_REPORT = "refill_report"
    LATE_ANSWER = "late_answer"
    PROVIDER_SILENT = "provider_silent"
    PROVIDER_PAUSED = "provider_paused"
    PROVIDER_UNCLEAR = "provider_unclear"
    TIME_RULES = "time_rules"
    SERVICE_CHANGED = "service_changed"
    PRICE_MOVED = "price_moved"
    IMPORT_WAITS = "import_waits"
    UPSTREAM_CHARGE = "upstream_charge"
    LINK_PATTERN = "link_pattern"
    PAYMENT = "payment"
    BY_OPERATOR = "by_operator"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    ReviewKind.UNCONFIRMED: "Unconfirmed order",
    ReviewKind.UNCONFIRMED_REFILL: "Unconfirmed refill",
    ReviewKind.CANCEL_BY_HAND: "Cancellation by hand",
    ReviewKind.REFILL_BY_HAND: "Refill by hand",
    ReviewKind.REFILL_SLOW: "Slow refill",
    ReviewKind.REPORT: "Report that does not fit",
    ReviewKind.REFILL_REPORT: "Refill report that does not fit",
    ReviewKind.LATE_ANSWER: "Late answer",
    ReviewKind.PROVIDER_SILENT: "Silent provider",
    ReviewKind.PROVIDER_PAUSED: "Paused provider",
    ReviewKind.PROVIDER_UNCLEAR: "Provider without clear answers",
    ReviewKind.TIME_RULES: "Time rules on hold",
    ReviewKind.SERVICE_CHANGED: "Service that may be another one",
    ReviewKind.PRICE_MOVED: "Price that moved at a provider",
    ReviewKind.IMPORT_WAITS: "Import that waits or failed",
    ReviewKind.UPSTREAM_CHARGE: "Provider’s charge that looks wrong",
    ReviewKind.LINK_PATTERN: "Link pattern that can’t be used",
    ReviewKind.PAYMENT: "Payment that needs a look",
    ReviewKind.BY_OPERATOR: "Opened by an operator",
}
