"""Order filters: query parameters are read strictly and written in one canonical form."""

from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.lists.list_filters import MAX_ID, BadFilters
from panel.domain.lists.order_filters import OrderFilters, parse
from panel.domain.status import Status

days = st.none() | st.dates(date(2000, 1, 1), date(2200, 12, 31))
filters = st.builds(
    OrderFilters,
    status=st.none() | st.sampled_from(list(Status)),
    tool=st.from_regex(r"([a-z][a-z0-9-]{0,20})?", fullmatch=True),
    search=st.text(max_size=50).map(str.strip).filter(str.isprintable),
    first=days,
    last=days,
    after=st.none() | st.integers(1, MAX_ID),
).filter(lambda made: not (made.first and made.last and made.first > made.last))


@given(filters)
def test_filters_survive_the_address(made: OrderFilters) -> None:
    assert parse(dict(parse_qsl(made.query(), keep_blank_values=True))) == made


def test_a_status_is_read_as_its_value_and_as_its_slug() -> None:
    assert parse({"status": "in_progress"}) == parse({"status": "in-progress"}) == OrderFilters(Status.IN_PROGRESS)


def test_empty_and_unknown_fields_are_no_filters() -> None:
    assert parse({"status": "", "q": "  ", "from": "", "colour": "red"}) == OrderFilters()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "done"),
        ("status", "Pending"),
        ("tool", "a b"),
        ("tool", "é"),
        ("q", "x" * 201),
        ("q", "a\x00b"),
        ("from", "2026-02-30"),
        ("from", "20 November"),
        ("to", "２０２６-11-20"),
        ("to", "9999-01-01"),
    ],
)
def test_unreadable_filter_is_a_message_at_its_field(name: str, value: str) -> None:
    with pytest.raises(BadFilters) as refused:
        parse({name: value})

    assert set(refused.value.errors) == {name}


@pytest.mark.parametrize("after", ["0", "-1", "1.5", "1e3", "９", str(MAX_ID + 1), "x"])
def test_a_page_that_cannot_be_is_refused(after: str) -> None:
    with pytest.raises(BadFilters) as refused:
        parse({"after": after})

    assert set(refused.value.errors) == {""}


def test_days_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(BadFilters) as refused:
        parse({"from": "2026-11-21", "to": "2026-11-20"})

    assert set(refused.value.errors) == {"from"}


@pytest.mark.parametrize(
    ("search", "order_id"), [("12", 12), ("#12", 12), ("12a", None), ("１２", None), (str(MAX_ID + 1), None)]
)
def test_a_search_for_digits_names_an_order(search: str, order_id: int | None) -> None:
    assert OrderFilters(search=search).order_id == order_id
