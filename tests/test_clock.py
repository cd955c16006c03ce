"""Clock steps: what was not handled is reported again."""

from datetime import UTC, datetime, timedelta

import pytest

from panel import clock
from panel.clock import ClockSteps


def test_step_is_reported_until_it_was_handled_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ClockSteps(least=timedelta(seconds=30))
    monkeypatch.setattr(clock, "utc_now", lambda: datetime.now(UTC) - timedelta(hours=2))
    seen = []

    with pytest.raises(OSError), steps.handling() as step:
        seen.append(step)
        raise OSError
    for _ in range(2):
        with steps.handling() as step:
            seen.append(step)

    assert [None if each is None else round(each.total_seconds()) for each in seen] == [-7_200, -7_200, None]


def test_next_step_is_measured_from_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = ClockSteps(least=timedelta(seconds=30))
    seen = []

    for hours in (5, 5, 4):
        monkeypatch.setattr(clock, "utc_now", lambda hours=hours: datetime.now(UTC) + timedelta(hours=hours))
        with steps.handling() as step:
            seen.append(step)

    assert [None if each is None else round(each.total_seconds()) for each in seen] == [18_000, None, -3_600]
