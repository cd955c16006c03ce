"""Times as pages print them."""

from datetime import date

from panel.domain import formatting


def test_day_at_the_end_of_a_chart_has_no_leading_zero() -> None:
    assert formatting.day_of_year(date(2026, 11, 7)) == "7 November"
    assert formatting.day_of_year(date(2026, 11, 28)) == "28 November"
