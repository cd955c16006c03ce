"""Drip-feed: which forms offer it, and what runs make of their order."""

import pytest

from panel.domain.errors import BadInput
from panel.domain.forms import drip_feed, own_fields
from panel.domain.forms.drip_feed import DripFeed
from panel.domain.forms.order_form import QuantityRule
from panel.domain.provider_report import OrderProgress
from panel.domain.status import Status
from tests.support.form_factories import DRIP_FEED

RUNS, INTERVAL = DRIP_FEED.split("\n")


@pytest.mark.parametrize(
    "fields",
    [
        RUNS,
        INTERVAL,
        f"{RUNS.replace('2-50', '1-50')}\n{INTERVAL}",
        f"{RUNS.replace('2-50', '2-101')}\n{INTERVAL}",
        f"{RUNS.replace(' optional', '')}\n{INTERVAL}",
        f"{RUNS}\n{INTERVAL.replace('10-', '0-')}",
        f"runs | Runs | text optional\n{INTERVAL}",
    ],
)
def test_form_with_half_of_drip_feed_or_wrong_bounds_is_refused(fields: str) -> None:
    with pytest.raises(BadInput, match="For drip-feed, write both fields"):
        own_fields.check(QuantityRule.BY_QUANTITY, own_fields.read(fields))


def test_drip_feed_needs_a_quantity_that_customers_enter() -> None:
    own_fields.check(QuantityRule.BY_QUANTITY, own_fields.read(DRIP_FEED))

    with pytest.raises(BadInput, match="customers enter the quantity"):
        own_fields.check(QuantityRule.FIXED_PACKAGE, own_fields.read(DRIP_FEED))


@pytest.mark.parametrize(
    ("status", "remains", "left"),
    [
        (Status.PENDING, 100, 100),
        (Status.IN_PROGRESS, 40, 40),
        (Status.COMPLETED, 7, 0),
        (Status.PARTIAL, 30, 30),
        (Status.CANCELED, 40, 100),
    ],
)
def test_what_a_run_leaves_undelivered(status: Status, remains: int, left: int) -> None:
    assert drip_feed.undelivered(OrderProgress(status, 100, remains, None)) == left


@pytest.mark.parametrize(
    ("remains", "end"), [(0, Status.COMPLETED), (1, Status.PARTIAL), (299, Status.PARTIAL), (300, Status.CANCELED)]
)
def test_order_ends_by_what_all_runs_left(remains: int, end: Status) -> None:
    assert drip_feed.end_of(quantity=300, remains=remains) is end


@pytest.mark.parametrize(
    ("order", "run", "is_counted", "after"),
    [
        (Status.PENDING, Status.PROCESSING, False, Status.PROCESSING),
        (Status.PROCESSING, Status.PENDING, False, Status.PROCESSING),
        (Status.IN_PROGRESS, Status.PENDING, False, Status.IN_PROGRESS),
        (Status.PENDING, Status.CANCELED, False, Status.PENDING),
        (Status.PENDING, Status.COMPLETED, True, Status.IN_PROGRESS),
    ],
)
def test_order_is_never_behind_its_runs(order: Status, run: Status, is_counted: bool, after: Status) -> None:
    assert drip_feed.going_on(order, run, is_counted=is_counted) is after


@pytest.mark.parametrize(
    ("minutes", "words"), [(1, "1 minute"), (45, "45 minutes"), (60, "1 hour"), (90, "90 minutes"), (2880, "48 hours")]
)
def test_interval_in_words(minutes: int, words: str) -> None:
    assert DripFeed(3, minutes).words == words
