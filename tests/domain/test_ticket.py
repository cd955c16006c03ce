"""Ticket validation: plain subjects and texts, and a message for each refusal."""

import pytest

from panel.domain.errors import BadInput
from panel.domain.ticket import (
    MAX_SUBJECT_LENGTH,
    MAX_TEXT_LENGTH,
    TicketKind,
    TicketState,
    checked_subject,
    checked_text,
)


def test_line_endings_are_unified_and_surrounding_space_is_dropped() -> None:
    assert checked_text("  One.\r\nTwo.\rThree.\n\n") == "One.\nTwo.\nThree."
    assert checked_subject("  A question  ") == "A question"


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "=1+1",
        "שלום \u202e abc",
        "👩\u200d🚀 moved",
        "a\tb",
        "x" * MAX_TEXT_LENGTH,
    ],
)
def test_odd_but_readable_text_is_kept_as_it_is(text: str) -> None:
    assert checked_text(text) == text


@pytest.mark.parametrize("text", ["a\x00b", "a\x1bb", "a\x7fb", "a\u2028b", "a\ud800b"])
def test_control_signs_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadInput, match="control sign") as refused:
        checked_text(text)

    assert refused.value.field == "text"


@pytest.mark.parametrize("typed", ["", " \r\n\t "])
def test_nothing_written_is_refused(typed: str) -> None:
    with pytest.raises(BadInput, match="missing"):
        checked_text(typed)
    with pytest.raises(BadInput, match="missing"):
        checked_subject(typed)


def test_length_is_counted_as_the_browser_counts_it() -> None:
    longest = "\r\n".join(["x" * 99] * (MAX_TEXT_LENGTH // 100)) + "x"

    assert len(checked_text(longest)) == MAX_TEXT_LENGTH
    with pytest.raises(BadInput, match="5,001 characters"):
        checked_text(longest + "x")


@pytest.mark.parametrize(
    "typed", ["one\ntwo", "one\x00", "one\u202etwo", "one\u2066two", "x" * (MAX_SUBJECT_LENGTH + 1)]
)
def test_subject_is_one_short_line_that_turns_nothing_round(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_subject(typed)

    assert refused.value.field == "subject"


def test_every_kind_and_state_has_its_words() -> None:
    assert len({kind.label for kind in TicketKind}) == len(TicketKind)
    assert len({state.label for state in TicketState}) == len(TicketState)
    assert all(state.who_acts and state.office_label for state in TicketState)
    assert [state for state in TicketState if not state.is_open] == [TicketState.CLOSED]
