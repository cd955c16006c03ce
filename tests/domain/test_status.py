"""Status table, compared with the design, one transition at a time."""

import itertools
from itertools import pairwise

import pytest

from panel.domain.status import FIRST, USUAL_PATH, ChargeState, Status, from_slug, possible_sources

S = Status

# The design's transitions: the only copy of the table, so that a change of it is noticed.
ALLOWED = {
    **{(S.PENDING, to): True for to in (S.PROCESSING, S.IN_PROGRESS, S.COMPLETED, S.PARTIAL, S.CANCELED)},
    **{(S.PROCESSING, to): True for to in (S.IN_PROGRESS, S.COMPLETED, S.PARTIAL, S.CANCELED)},
    **{(S.IN_PROGRESS, to): True for to in (S.COMPLETED, S.PARTIAL, S.CANCELED)},
    (S.COMPLETED, S.REFILL): True,
    (S.REFILL, S.COMPLETED): True,
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(S, S)))
def test_each_pair_of_statuses_is_allowed_or_not_as_designed(old: Status, new: Status) -> None:
    assert old.may_become(new) is ALLOWED.get((old, new), False)
    assert (old in possible_sources(new)) is old.may_become(new)


def test_values_slugs_and_labels_are_those_of_the_design() -> None:
    assert [status.value for status in S] == [
        *("pending", "processing", "in_progress", "completed", "partial", "canceled", "refill")
    ]
    assert [status.label for status in S] == [
        *("Pending", "Processing", "In progress", "Completed", "Partial", "Canceled", "Refill")
    ]
    assert S.IN_PROGRESS.slug == "in-progress"


@pytest.mark.parametrize("status", S)
def test_slug_leads_back_to_its_status(status: Status) -> None:
    assert from_slug(status.slug) is status


@pytest.mark.parametrize("slug", ["", "in_progress", "cancelled", "Pending", "unknown"])
def test_other_words_are_no_status(slug: str) -> None:
    assert from_slug(slug) is None


def test_money_is_held_while_open_and_settled_at_the_end() -> None:
    assert {status for status in S if status.is_open} == {S.PENDING, S.PROCESSING, S.IN_PROGRESS}
    assert {status for status in S if status.is_final} == {S.PARTIAL, S.CANCELED}
    assert {status for status in S if status.is_moving} == {S.PENDING, S.PROCESSING, S.IN_PROGRESS, S.REFILL}
    assert S.PARTIAL.facts.money is ChargeState.SPLIT
    assert S.CANCELED.facts.money is ChargeState.RETURNED
    assert S.COMPLETED.facts.money is S.REFILL.facts.money is ChargeState.KEPT


def test_api_knows_six_words_and_calls_refill_completed() -> None:
    assert S.REFILL.api_word == "Completed"
    assert {status.api_word for status in S} == {status.label for status in S} - {"Refill"}


def test_every_status_can_be_reached_and_money_once_settled_is_never_held_again() -> None:
    assert all(possible_sources(status) for status in S if status is not FIRST)
    assert not [(old, new) for old, new in ALLOWED if not old.is_open and new.is_open]


def test_usual_way_is_allowed_step_by_step() -> None:
    assert USUAL_PATH[0] is FIRST
    assert all(old.may_become(new) for old, new in itertools.pairwise(USUAL_PATH))


@pytest.mark.parametrize("status", S)
def test_facts_are_whole_sentences_with_a_tone_of_their_own(status: Status) -> None:
    facts = status.facts

    assert all(text.endswith(".") for text in (facts.means, facts.you_do, facts.money_words))
    assert [other for other in S if other.facts.tone == facts.tone] == [status]


def test_no_stage_is_behind_itself() -> None:
    assert [status for status in USUAL_PATH if status.is_behind(status)] == []
    assert all(first.is_behind(then) for first, then in pairwise(USUAL_PATH))
