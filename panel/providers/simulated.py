"""Simulated provider: moves orders by the clock through every path of the status table, deterministic by seed.

Stateless: an order's id contains the time of acceptance and the seed, and every later status follows from the id, the
scenario and the time.
"""

import hashlib
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.providers.base import Accepted, NewOrder, Outcome, Refused, StatusRequest

# "canceled" ends before it starts, "undelivered" after it ran without delivering anything.
SCENARIOS = ("usual", "slow", "partial", "canceled", "undelivered", "refill", "mixed")
CANCEL_REASON = "The link could not be reached. It may be private."
SLOW = 20
REFILL_RUNS_AFTER_SECONDS = 4
REFILL_ENDS_AFTER_SECONDS = 16


@dataclass(frozen=True)
class Plan:
    """Course of one order: when each stage begins, in seconds after acceptance, and how it ends."""

    processing: float
    running: float
    ends: float
    end: Status
    remains: int
    start_count: int


def plan_of(provider_order_id: str, *, scenario: str, quantity: int) -> Plan:
    """Plan for an id, from a random generator seeded by the id."""
    draw = random.Random(hashlib.sha256(provider_order_id.encode()).digest())  # noqa: S311
    processing = draw.uniform(1, 4)
    running = processing + draw.uniform(2, 6)
    ends = running + draw.uniform(12, 30)
    left = draw.randint(1, quantity)
    start_count = draw.randint(0, 5_000)
    ends_as = {"partial": Status.PARTIAL, "canceled": Status.CANCELED, "undelivered": Status.CANCELED}
    end = ends_as.get(scenario, Status.COMPLETED)
    if scenario == "mixed":
        end = draw.choices([Status.COMPLETED, Status.PARTIAL, Status.CANCELED], weights=[6, 2, 2])[0]
    if scenario == "slow":
        processing, running, ends = processing * SLOW, running * SLOW, ends * SLOW
    remains = {Status.COMPLETED: 0, Status.PARTIAL: min(left, max(quantity - 1, 1)), Status.CANCELED: quantity}[end]
    return Plan(processing, running, ends, end, remains, start_count)


class Simulated:
    """A provider without an upstream."""

    def __init__(self, *, seed: str) -> None:
        self.seed = seed

    def add(self, order: NewOrder, *, now: datetime) -> Outcome:
        if order.service not in SCENARIOS:
            return Refused(f"The simulator has no scenario named {order.service!r}.", is_final=True)
        return Accepted(f"{self.seed}-{order.order_id}-{_millis(now)}")

    def status(self, asks: Sequence[StatusRequest], *, now: datetime) -> Mapping[int, Report]:
        """Ids that the simulator never issued are left out."""
        return {ask.order_id: _report(ask, now=now) for ask in asks if _is_own(ask.provider_order_id)}

    def refill(self, ask: StatusRequest, *, now: datetime) -> Outcome:
        return Accepted(f"refill-{ask.order_id}-{_millis(now)}")

    def refill_status(self, refill_id: str, *, now: datetime) -> object:
        if not _is_own(refill_id):
            return "There is no such refill."
        age = _age(refill_id, now=now)
        if age < REFILL_RUNS_AFTER_SECONDS:
            return "Pending"
        return "In progress" if age < REFILL_ENDS_AFTER_SECONDS else "Completed"

    def cancel(self, ask: StatusRequest, *, now: datetime) -> Outcome:
        if not _is_own(ask.provider_order_id):
            return Refused("The simulator has no such order.", is_final=True)
        plan = plan_of(ask.provider_order_id, scenario=ask.service, quantity=ask.quantity)
        if _age(ask.provider_order_id, now=now) >= plan.ends:
            return Refused("The order had ended before it could be stopped.", is_final=True)
        return Accepted(ask.provider_order_id)


def _report(ask: StatusRequest, *, now: datetime) -> Report:
    plan = plan_of(ask.provider_order_id, scenario=ask.service, quantity=ask.quantity)
    age = _age(ask.provider_order_id, now=now)
    stopped = None if ask.stopped_at is None else _age(ask.provider_order_id, now=ask.stopped_at)
    if stopped is not None and stopped < min(plan.ends, age):
        return _stopped(plan, at=stopped, quantity=ask.quantity)
    if age < plan.processing:
        return Report("Pending", ask.quantity)
    if age < plan.running:
        return Report("Processing", ask.quantity)
    if plan.end is Status.CANCELED and (ask.service != "undelivered" or age >= plan.ends):
        return Report("Canceled", ask.quantity, reason=CANCEL_REASON)
    if age < plan.ends:
        return Report("In progress", _remains(plan, at=age, quantity=ask.quantity), plan.start_count)
    return Report(plan.end.label, plan.remains, plan.start_count)


def _stopped(plan: Plan, *, at: float, quantity: int) -> Report:
    """Canceled if it was stopped before it started, else Partial."""
    remains = quantity if at < plan.running else _remains(plan, at=at, quantity=quantity)
    if remains == quantity:
        return Report("Canceled", quantity, reason="Stopped at your request.")
    return Report("Partial", remains, plan.start_count)


def _remains(plan: Plan, *, at: float, quantity: int) -> int:
    share = (at - plan.running) / (plan.ends - plan.running)
    return max(quantity - int((quantity - plan.remains) * share), plan.remains, 1)


def _millis(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _is_own(provider_id: str) -> bool:
    """Whether the id has the simulator's format (it ends with a time)."""
    return re.fullmatch(r".*-[0-9]{1,15}", provider_id, re.ASCII) is not None


def _age(provider_id: str, *, now: datetime) -> float:
    return (_millis(now) - int(provider_id.rsplit("-", 1)[1])) / 1000
