"""Alert steps: sent as it begins and as it ends, and again after an hour only for something new."""

from datetime import timedelta

import pytest

from panel.domain.alerts import (
    ALL_CHOICES,
    AlertChannel,
    AlertFound,
    AlertKind,
    AlertState,
    AlertStep,
    next_step,
    parse_off,
    serialize_off,
)
from tests.support.factories import NOON

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NONE, ONE, TWO = AlertFound(0), AlertFound(1), AlertFound(2)


def steps(*looks: tuple[timedelta, AlertFound]) -> list[AlertStep | None]:
    state, sent = AlertState(), []
    for after, found in looks:
        state, step = next_step(state, found, now=NOON + after)
        sent.append(step)
    return sent


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(0, NONE), (1, ONE), (2, ONE), (3, NONE), (4, NONE)], "-B-E-", id="once as it begins and ends"),
        pytest.param([(0, ONE), (59, TWO), (60, TWO), (119, TWO), (121, TWO)], "B-C--", id="for something new"),
        pytest.param([(0, ONE), (24 * 60 - 1, ONE), (24 * 60, ONE)], "B-C", id="as a reminder each day"),
        pytest.param([(0, TWO), (10, ONE), (61, ONE), (62, TWO)], "B--C", id="counted from the fewest"),
        pytest.param([(0, ONE), (1, NONE), (2, ONE), (4, ONE), (5, ONE)], "BE--B", id="flapping waits"),
        pytest.param([(60, ONE), (0, TWO)], "BC", id="a clock that was set back hides nothing"),
    ],
)
def test_an_alert_is_sent(looks: list[tuple[int, AlertFound]], expected: str) -> None:
    letters = {None: "-", AlertStep.BEGAN: "B", AlertStep.CONTINUES: "C", AlertStep.ENDED: "E"}

    sent = steps(*((minutes * MINUTE, found) for minutes, found in looks))

    assert "".join(letters[step] for step in sent) == expected


def test_another_one_of_the_same_number_is_something_new() -> None:
    first, other = AlertFound(1, NOON - MINUTE), AlertFound(1, NOON + MINUTE)

    sent = steps((timedelta(), first), (HOUR, first), (HOUR, other), (HOUR + MINUTE, other))

    assert sent == [AlertStep.BEGAN, None, AlertStep.CONTINUES, None]


def test_choices_are_kept_as_words_and_a_kind_alone_means_every_channel() -> None:
    everywhere = {(AlertKind.AUDIT, channel) for channel in AlertChannel}
    off = frozenset({(AlertKind.TICKET, AlertChannel.EMAIL), *everywhere})

    assert serialize_off(off) == "audit email:ticket"
    assert parse_off("audit email:ticket unknown email:unknown") == off
    assert parse_off(serialize_off(ALL_CHOICES)) == ALL_CHOICES and parse_off("") == frozenset()
