"""“What happens next”: no sentence contradicts another fact about the same order."""

from dataclasses import replace
from itertools import product

import pytest

from panel.domain.next_step import ACCEPTED, ASKED, NextStepFacts, next_step
from panel.domain.status import Status

MOVES_ON = "It moves on when it is picked up"
ALL = [
    NextStepFacts(status, is_unconfirmed, stop, is_held_back, can_cancel, has_incident)
    for status, is_unconfirmed, stop, is_held_back, can_cancel, has_incident in product(
        Status, (False, True), ("", ASKED, ACCEPTED, "refused"), (False, True), (False, True), (False, True)
    )
]
PENDING = NextStepFacts(Status.PENDING)


@pytest.mark.parametrize("status", Status)
def test_usual_way_says_what_the_status_says(status: Status) -> None:
    assert next_step(NextStepFacts(status)) == (next_step(NextStepFacts(status, stop="refused")))
    assert next_step(NextStepFacts(status)).you_do == status.facts.you_do
    assert next_step(NextStepFacts(status)).note == ""


def test_only_an_order_without_any_other_fact_moves_on_when_it_is_picked_up() -> None:
    offered = [facts for facts in ALL if MOVES_ON in next_step(facts).you_do]

    assert offered
    for facts in offered:
        assert replace(facts, can_cancel=False, stop="", has_incident=False) == PENDING
        assert facts.stop in ("", "refused")


@pytest.mark.parametrize(
    ("facts", "you_do", "note"),
    [
        (replace(PENDING, is_held_back=True), "takes no new orders", "Waiting for provider"),
        (replace(PENDING, is_held_back=True, can_cancel=True), "you can cancel it", "Waiting for provider"),
        (replace(PENDING, is_unconfirmed=True), "whether the provider has this order", "Not confirmed yet"),
        (replace(PENDING, is_unconfirmed=True, stop=ASKED), "You asked to cancel it", "Not confirmed yet"),
        (replace(PENDING, stop=ASKED), "until the provider answers", "Cancellation requested"),
        (NextStepFacts(Status.IN_PROGRESS, stop=ASKED), "until the provider answers", "Cancellation requested"),
        (NextStepFacts(Status.PROCESSING, stop=ACCEPTED), "is stopping this order", "Being canceled"),
        (NextStepFacts(Status.CANCELED, stop=ACCEPTED), "You asked for it", ""),
        (NextStepFacts(Status.COMPLETED, has_refill=True), "request a refill", ""),
        (replace(PENDING, has_incident=True), "An incident is open", "Incident open"),
        (NextStepFacts(Status.REFILL, has_incident=True), "An incident is open", "Incident open"),
        (replace(PENDING, is_held_back=True, has_incident=True), "An incident is open", "Waiting for provider"),
    ],
)
def test_each_fact_is_shown_on_the_page_and_in_the_list(facts: NextStepFacts, you_do: str, note: str) -> None:
    found = next_step(facts)

    assert you_do in found.you_do
    assert note in found.note and bool(note) == bool(found.note)


def test_ended_orders_have_no_note() -> None:
    assert {next_step(facts).note for facts in ALL if not facts.status.is_moving} == {""}


def test_expected_times_are_shown_only_for_tools_that_take_orders() -> None:
    for facts in ALL:
        if facts.status.is_moving:
            assert next_step(facts).is_usual is (next_step(facts).note == "")
