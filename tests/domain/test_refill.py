"""Refill rules: only for a Completed order, if the terms offer it, within the window, one at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from panel.domain.refill import REPORTED_STATES, RefillState, why_not, window_ends
from panel.domain.status import Status

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAYS = 30


def asked(
    *,
    status: Status = Status.COMPLETED,
    refill_days: int | None = DAYS,
    completed_at: datetime | None = NOON,
    is_open: bool = False,
    now: datetime = NOON,
) -> str | None:
    return why_not(status=status, refill_days=refill_days, completed_at=completed_at, is_open=is_open, now=now)


@pytest.mark.parametrize("after", [timedelta(), timedelta(days=1), timedelta(days=DAYS)])
def test_refill_can_be_asked_for_from_completion_to_the_last_moment_of_the_window(after: timedelta) -> None:
    assert asked(now=NOON + after) is None


def test_refill_is_refused_one_moment_after_the_window() -> None:
    end = window_ends(completed_at=NOON, refill_days=DAYS)

    assert end == NOON + timedelta(days=30)
    assert asked(now=end + timedelta(microseconds=1)) == (
        "Refill was offered until 20 December 2026; this order completed 30 days ago."
    )


def test_refusal_counts_the_days_since_completion_not_since_the_end_of_the_window() -> None:
    assert asked(now=NOON + timedelta(days=40, hours=23)) == (
        "Refill was offered until 20 December 2026; this order completed 40 days ago."
    )
    assert asked(refill_days=1, now=NOON + timedelta(days=1, hours=1)) == (
        "Refill was offered until 21 November 2026; this order completed 1 day ago."
    )


def test_refill_is_refused_where_the_terms_do_not_offer_it() -> None:
    assert asked(refill_days=None) == "This tool does not offer refill."


@pytest.mark.parametrize("status", [Status.PENDING, Status.PROCESSING, Status.IN_PROGRESS])
def test_refill_is_refused_for_an_order_that_is_not_completed_yet(status: Status) -> None:
    assert asked(status=status, completed_at=None) == "A refill can be requested once the order is Completed."


@pytest.mark.parametrize("status", [Status.PARTIAL, Status.CANCELED])
def test_refill_of_an_order_that_ended_otherwise_is_not_promised_for_later(status: Status) -> None:
    ended = f"The order has ended as {status.label}. Refill is for orders that were Completed."

    assert asked(status=status, completed_at=None) == ended


def test_second_refill_is_refused_while_one_runs() -> None:
    running = "A refill of this order is already running."

    assert asked(is_open=True) == running
    assert asked(status=Status.REFILL) == running


def test_states_have_the_words_of_the_api() -> None:
    assert [state.api_word for state in RefillState] == ["Pending", "In progress", "Completed", "Rejected"]
    assert [state.is_open for state in RefillState] == [True, True, False, False]


def test_every_word_of_the_api_is_read_as_its_state() -> None:
    assert {REPORTED_STATES[state.api_word.lower()] for state in RefillState} == set(RefillState)
    assert REPORTED_STATES["cancelled"] is REPORTED_STATES["canceled"] is RefillState.REFUSED
