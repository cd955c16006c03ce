"""Fields in a line of a mass order: any value is read as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.forms import mass_line, values
from panel.domain.forms.order_types import TYPES
from tests.support.form_factories import LINES

REPLIES = TYPES["Comment Replies"]
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\\|= \t\n"), min_size=1, max_size=60)


@given(comments=TEXT, username=st.sampled_from(["anna", "a|b", "x\\n", "comments=1"]))
def test_any_values_are_read_as_they_were_written(comments: str, username: str) -> None:
    kept = values.uniform(REPLIES, {"username": username, "comments": comments})
    line = f"tool | https://example.com/?a=1|b | {mass_line.written(kept).removeprefix(' | ')}".strip()

    rest, fields = mass_line.split(REPLIES, line.partition("|")[2])

    assert fields == kept
    assert rest.strip().rstrip("| ") == "https://example.com/?a=1|b"


def test_lines_that_are_hard_to_keep_fit_into_one() -> None:
    kept = {"comments": "\n".join(LINES)}
    written = mass_line.written(kept)

    assert "\n" not in written
    rest, fields = mass_line.split(TYPES["Custom Comments"], f"https://example.com{written}")
    assert (rest.strip(), fields) == ("https://example.com", kept)


@pytest.mark.parametrize(
    ("order_type", "pattern"),
    [
        ("Default", "tool | link | quantity"),
        ("Package", "tool | link"),
        ("Comment Replies", "tool | link | username=… | comments=…"),
        ("Poll", "tool | link | quantity | answer_number=…"),
    ],
)
def test_the_pattern_names_the_parts_of_a_line(order_type: str, pattern: str) -> None:
    assert mass_line.pattern(TYPES[order_type]) == pattern


def test_a_part_that_is_no_field_of_the_tool_stays_in_the_link() -> None:
    rest = " https://example.com/?comments=1 | comments=x"

    assert mass_line.split(TYPES["Poll"], rest) == (rest, {})
