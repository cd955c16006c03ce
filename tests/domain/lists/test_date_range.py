"""Date ranges: whole days in UTC; an invalid date is refused with its field."""

from datetime import UTC, date, datetime

import pytest

from panel.domain.errors import BadInput
from panel.domain.lists.date_range import Period, parse_period

TODAY = date(2026, 11, 20)


def test_nothing_typed_is_this_month_until_today() -> None:
    assert parse_period("", " ", today=TODAY) == Period(date(2026, 11, 1), TODAY)


def test_both_days_are_included() -> None:
    period = parse_period("2026-02-27", "2026-02-28", today=TODAY)

    assert period.since == datetime(2026, 2, 27, tzinfo=UTC)
    assert period.until == datetime(2026, 3, 1, tzinfo=UTC)
    assert period.last_moment.date() == period.last


@pytest.mark.parametrize(
    "text",
    [
        "2026-13-01",
        "2026-02-30",
        "20261101",
        "2026-W10-1",
        "yesterday",
        "9999-12-31",
        "0001-01-01",
        "２０２６-11-01",
    ],
)
@pytest.mark.parametrize("field", ["from", "to"])
def test_invalid_day_is_refused_with_its_field(text: str, field: str) -> None:
    first, last = (text, "") if field == "from" else ("", text)

    with pytest.raises(BadInput) as refused:
        parse_period(first, last, today=TODAY)

    assert refused.value.field == field


def test_first_day_after_the_last_is_refused() -> None:
    with pytest.raises(BadInput, match="after the last day"):
        parse_period("2026-11-02", "2026-11-01", today=TODAY)
