"""The table of reports: what a provider's report changes about an order (DESIGN §3).

A report is trusted only as far as this table goes. Anything else changes neither status nor money; it is stored as an
event with the raw text and opens a review.
"""

import re
from dataclasses import dataclass, replace

from panel.domain.resale import UpstreamCharge
from panel.domain.status import Status

# Status words of the common panel API, in lower case, with both spellings of "canceled".
WORDS: dict[str, Status] = {
    **{status.label.lower(): status for status in Status if status is not Status.REFILL},
    "cancelled": Status.CANCELED,
    "inprogress": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
}

RAW_LENGTH = 200
_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_BELOW_ZERO = re.compile(r"-[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Report:
    """A provider's untrusted report about one order, as received."""

    status: object
    remains: object = None
    start_count: object = None
    reason: str = ""
    charge: UpstreamCharge | None = None
    # Whether the provider returned an error for this order.
    is_error: bool = False

    @property
    def raw(self) -> str:
        """A short text of the answer for events and reviews; templates escape it."""
        words = f"status={self.status!r} remains={self.remains!r} start_count={self.start_count!r}"
        return "".join(sign if sign.isprintable() else "·" for sign in words)[:RAW_LENGTH]


@dataclass(frozen=True)
class OrderProgress:
    """The order's progress before the report."""

    status: Status
    quantity: int
    remains: int
    start_count: int | None
    # A package's counts are in the provider's own unit: they change nothing here.
    is_package: bool = False


@dataclass(frozen=True)
class Verdict:
    """The resulting status and counts, and a review if something doesn't fit."""

    to: Status
    remains: int
    start_count: int | None
    review: str | None = None
    is_bad: bool = False

    def changes(self, standing: OrderProgress) -> bool:
        before = (standing.status, standing.remains, standing.start_count)
        return (self.to, self.remains, self.start_count) != before


def read_count(value: object, *, most: int | None = None) -> int | None:
    """Strictly parse a whole number from an int or plain digits, at most `most`; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        value = int(value) if _COUNT.fullmatch(value) else None
    if not isinstance(value, int) or value < 0 or value >= 10**18:
        return None
    return None if most is not None and value > most else value


def read_running(value: object, *, most: int) -> int | None:
    """Remains of a running order: negative means that more was delivered than ordered, and nothing remains."""
    is_below_zero = value < 0 if isinstance(value, int) else isinstance(value, str) and _BELOW_ZERO.fullmatch(value)
    return 0 if is_below_zero else read_count(value, most=most)


def is_missing(value: object) -> bool:
    """Whether a field is missing or empty; many panels send it empty before the order starts."""
    return value is None or (isinstance(value, str) and not value.strip())


def read_word(value: object) -> Status | None:
    """The status for a provider's word, or None if it is unknown or not text."""
    return WORDS.get(value.strip().lower()) if isinstance(value, str) else None


def judge(report: Report, standing: OrderProgress) -> Verdict:
    """Judge one report about an order with this progress, by the table."""
    word = read_word(report.status)
    if word is None:
        return _bad(standing, "The provider used a word for the status that we do not know.")
    if standing.status.is_final:
        return _after_the_end(word, report, standing)
    if standing.status in (Status.COMPLETED, Status.REFILL):
        if word is Status.COMPLETED:
            return _no_news(standing)
        return _bad(standing, f"The provider says {word.label} of an order that was Completed.")
    if standing.is_package:
        return _of_package(word, report, standing)
    if word.is_open:
        return _moving(word, report, standing)
    return _ending(word, report, standing)


def _of_package(word: Status, report: Report, standing: OrderProgress) -> Verdict:
    """A package is kept or returned whole; what Partial means for one, an operator decides."""
    if word is Status.PARTIAL:
        return _bad(standing, "The provider says Partial of a package, which is delivered whole or not at all.")
    if word.is_open and word.is_behind(standing.status):
        return _bad(standing, f"The provider says {word.label}, which is behind {standing.status.label}.")
    remains = 0 if word is Status.COMPLETED else standing.quantity
    return Verdict(to=word, remains=remains, start_count=_start(report, standing))


def _no_news(standing: OrderProgress) -> Verdict:
    return Verdict(to=standing.status, remains=standing.remains, start_count=standing.start_count)


def _bad(standing: OrderProgress, why: str) -> Verdict:
    return replace(_no_news(standing), review=why, is_bad=True)


def _after_the_end(word: Status, report: Report, standing: OrderProgress) -> Verdict:
    """A repeated final status is ignored; any other status or count contradicts the settlement and opens a review."""
    is_same_count = standing.is_package or is_missing(report.remains) or read_count(report.remains) == standing.remains
    is_repeated = word is standing.status and (word is Status.CANCELED or is_same_count)
    if is_repeated:
        return _no_news(standing)
    return _bad(standing, f"The provider says {word.label} of an order that has ended as {standing.status.label}.")


def _moving(word: Status, report: Report, standing: OrderProgress) -> Verdict:
    if word.is_behind(standing.status):
        return _bad(standing, f"The provider says {word.label}, which is behind {standing.status.label}.")
    counted = read_running(report.remains, most=standing.quantity)
    if counted is None and not is_missing(report.remains):
        return _bad(standing, "The provider’s remains are not a whole number from 0 to the quantity.")
    remains = standing.remains if counted is None else counted
    return Verdict(to=word, remains=remains, start_count=_start(report, standing))


def _ending(word: Status, report: Report, standing: OrderProgress) -> Verdict:
    counted = read_count(report.remains, most=standing.quantity)
    is_between = counted is not None and 0 < counted < standing.quantity
    start = _start(report, standing)
    if word is Status.COMPLETED:
        remaining = read_count(report.remains)
        odd = f"The provider says Completed with {remaining} remaining." if remaining else None
        return Verdict(to=word, remains=counted or 0, start_count=start, review=odd)
    if word is Status.CANCELED:
        # Panels often report 0 remaining for an order that never started, so only a partial count is trusted.
        odd = f"The provider says Canceled with {counted} of {standing.quantity} remaining." if is_between else None
        remains = counted if counted and is_between else standing.quantity
        return Verdict(to=word, remains=remains, start_count=start, review=odd)
    if counted is None:
        return _bad(standing, "The provider says Partial without remains from 0 to the quantity.")
    odd = "The provider says Partial with nothing remaining." if counted == 0 else None
    return Verdict(to=word, remains=counted, start_count=start, review=odd)


def _start(report: Report, standing: OrderProgress) -> int | None:
    began = read_count(report.start_count)
    return standing.start_count if began is None else began
