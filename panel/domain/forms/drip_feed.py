"""Drip-feed: an order delivered in runs of the same quantity, with an interval between them.

A tool offers it where its form has two optional number fields with the names that API v2 has for them, `runs` and
`interval` (minutes). Their bounds are the tool's limits. The order's quantity is that of all runs together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from panel.domain.errors import BadField, BadInput
from panel.domain.forms.order_form import FieldKind, FieldRule, QuantityRule
from panel.domain.provider_report import OrderProgress
from panel.domain.status import Status

RUNS, INTERVAL = "runs", "interval"
NAMES = (RUNS, INTERVAL)
MIN_RUNS = 2
MAX_RUNS = 100
# 30 days.
MAX_INTERVAL_MINUTES = 43_200
# The two fields with the widest limits, as `own_fields` reads and writes them.
FIELDS = (
    f"runs | Runs | number optional | {MIN_RUNS}-{MAX_RUNS} | 5 | How often the quantity is delivered.\n"
    f"interval | Minutes between runs | number optional | 1-{MAX_INTERVAL_MINUTES} | 60 | From one run to the next."
)
_WRITE = (
    f"For drip-feed, write both fields: runs | Runs | number optional | {MIN_RUNS}-{MAX_RUNS} and "
    f"interval | Minutes between runs | number optional | 1-{MAX_INTERVAL_MINUTES}, within these limits"
)


@dataclass(frozen=True, slots=True)
class DripFeed:
    """Plan of an order: how many runs, and the minutes between two of them."""

    runs: int
    interval_minutes: int

    @property
    def interval(self) -> timedelta:
        return timedelta(minutes=self.interval_minutes)

    @property
    def words(self) -> str:
        """The interval as people read it."""
        hours, minutes = divmod(self.interval_minutes, 60)
        if hours and not minutes:
            return "1 hour" if hours == 1 else f"{hours:,} hours"
        return "1 minute" if self.interval_minutes == 1 else f"{self.interval_minutes:,} minutes"


def plan_of(values: Mapping[str, str]) -> DripFeed | None:
    """The plan that checked values ask for; None without drip-feed."""
    if RUNS not in values or INTERVAL not in values:
        return None
    return DripFeed(int(values[RUNS]), int(values[INTERVAL]))


def is_offered(names: Sequence[str]) -> bool:
    """Whether a form with these fields offers drip-feed."""
    return set(NAMES) <= set(names)


def fault(names: Sequence[str], values: Mapping[str, str]) -> BadField | None:
    """An error if only one of the two fields has a value."""
    if not is_offered(names) or (RUNS in values) == (INTERVAL in values):
        return None
    if RUNS in values:
        return BadField("Enter the minutes between two runs too.", field=INTERVAL)
    return BadField("Enter the number of runs too, or leave out the interval.", field=RUNS)


def check(rule: QuantityRule, fields: Sequence[FieldRule]) -> None:
    """Raises BadInput if a form has one of the two fields and can't be a drip-feed form."""
    found = {field.name: field for field in fields if field.name in NAMES}
    if not found:
        return
    if rule is not QuantityRule.BY_QUANTITY:
        raise BadInput("Drip-feed needs a tool whose customers enter the quantity: each run delivers it once.")
    if len(found) < len(NAMES) or not all(_is_fit(field) for field in found.values()):
        raise BadInput(f"{_WRITE}.")


def _is_fit(field: FieldRule) -> bool:
    least, most = (MIN_RUNS, MAX_RUNS) if field.name == RUNS else (1, MAX_INTERVAL_MINUTES)
    is_within = least <= field.minimum <= field.maximum <= most
    return field.kind is FieldKind.NUMBER and not field.is_required and is_within


def undelivered(run: OrderProgress) -> int:
    """Undelivered part of a run, which adds to the order's remains: none once Completed, all of it once Canceled."""
    kept_whole = {Status.COMPLETED: 0, Status.CANCELED: run.quantity}
    return kept_whole.get(run.status, run.remains)


def end_of(*, quantity: int, remains: int) -> Status:
    """The order's final status when every run has ended."""
    if remains == 0:
        return Status.COMPLETED
    return Status.CANCELED if remains == quantity else Status.PARTIAL


def going_on(order: Status, run: Status, *, is_counted: bool) -> Status:
    """The order's status while a run goes on or others are to come: never behind, In progress from the first count."""
    if is_counted:
        return Status.IN_PROGRESS
    return run if run.is_open and not run.is_behind(order) else order
