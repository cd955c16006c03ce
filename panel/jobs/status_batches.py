"""Status requests for batches of orders, and short transactions that apply the answers.

A failed batch is split in halves (bisection), so that one order that breaks the provider's answer is isolated and the
others are still updated.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.provider_report import Report
from panel.jobs.provider_calls import connect_provider
from panel.providers.base import ProviderSilent, StatusRequest
from panel.services.orders import sync

MAX_CALLS = 64
# Orders whose reports are applied in one transaction. It locks their customers' accounts, on SQLite the whole database,
# so a payment may wait for as long as it takes.
APPLIED_TOGETHER = 20
# A provider that has answered nothing by then has failed as a whole; no single order is the cause.
MAX_CALLS_UNANSWERED = 7
MAX_SECONDS_UNANSWERED = 60.0

# The lanes of a process write one after another: together they would keep all accounts locked.
writing = threading.Lock()


@dataclass
class StatusResults:
    """Results of a batch: reports by order, orders that fail on their own, and the failure of the whole provider."""

    reports: dict[int, Report] = field(default_factory=dict)
    alone: list[tuple[StatusRequest, ProviderSilent]] = field(default_factory=list)
    silence: ProviderSilent | None = None
    is_answered: bool = False


def request_statuses(
    provider_id: int, asked: Sequence[StatusRequest], *, before_more: Callable[[], None] = lambda: None
) -> StatusResults:
    """Request the status of all these orders in as few calls as possible. Reads the provider's key for each call.

    `before_more` is called before each call but the first.
    """
    answers = StatusResults()
    began, calls = time.monotonic(), 0
    pending = deque([asked])
    while pending and calls < MAX_CALLS:
        if calls:
            before_more()
        part, provider = pending.popleft(), connect_provider(provider_id)
        if provider is None:
            break
        calls += 1
        try:
            answers.reports.update(provider.status(part, now=utc_now()))
            answers.is_answered = True
            continue
        except ProviderSilent as silence:
            if silence.concerns_provider:
                answers.silence = silence
                return answers
            if len(part) == 1:
                answers.alone.append((part[0], silence))
            else:
                pending.extend((part[: len(part) // 2], part[len(part) // 2 :]))
            is_late = calls >= MAX_CALLS_UNANSWERED or time.monotonic() - began > MAX_SECONDS_UNANSWERED
            is_over = is_late if pending else not all(each.is_in_words for _, each in answers.alone)
            if not answers.is_answered and is_over:
                answers.alone, answers.silence = [], silence
                return answers
    return answers


def apply(asked: Sequence[StatusRequest], answers: StatusResults, *, at_last: Callable[[], None]) -> None:
    """Apply the reports, in as many transactions as it takes; `at_last` is called inside the last one."""
    for start in range(0, len(asked), APPLIED_TOGETHER):
        with writing, transaction():
            sync.apply_reports(asked[start : start + APPLIED_TOGETHER], answers.reports, now=utc_now())
            if start + APPLIED_TOGETHER >= len(asked):
                at_last()
