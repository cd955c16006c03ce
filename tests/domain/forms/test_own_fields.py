"""Own fields: one a line, each fault with its line."""

import pytest

from panel.domain.errors import BadInput
from panel.domain.forms import own_fields
from panel.domain.forms.order_form import FieldKind, QuantityRule

GOOD = """stars | Stars | number | 1-5 | 5 | How many stars.
review | Review | lines optional | 20
color | Color | choice | 1=Red, 2=Dark blue
note | Note | text optional"""


def test_fields_are_read_line_by_line() -> None:
    stars, review, color, note = own_fields.read(GOOD)

    assert (stars.kind, stars.minimum, stars.maximum, stars.example, stars.hint) == (
        FieldKind.NUMBER,
        1,
        5,
        "5",
        "How many stars.",
    )
    assert (review.kind, review.is_required, review.maximum) == (FieldKind.LINES, False, 20)
    assert color.choices == (("1", "Red"), ("2", "Dark blue"))
    assert (note.kind, note.is_required, note.maximum) == (FieldKind.TEXT, False, 500)


def test_own_fields_survive_writing_and_parsing() -> None:
    fields = own_fields.read(GOOD)

    assert own_fields.read(own_fields.write(fields)) == fields


@pytest.mark.parametrize(
    "line",
    [
        "stars | Stars",
        "stars | Stars | number | 5-1",
        "stars | Stars | stars",
        "Stars | Stars | text",
        "quantity | Quantity | number",
        "csrf_token | Token | text",
        "a | A | text | 501",
        "a | A | lines | 10001",
        "a | A | choice",
        "a | A | choice | 1=x, 1=y",
        "a |  | text",
        "a | A | text maybe",
        "a | A | text | 5 | b | c | d",
        "a | A\x07 | text",
    ],
)
def test_a_faulty_line_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(BadInput, match="Field 2: "):
        own_fields.read(f"good | Good | text\n{line}")


def test_one_name_twice_and_too_many_fields_are_refused() -> None:
    with pytest.raises(BadInput, match="there twice"):
        own_fields.read("a | A | text\na | B | text")
    with pytest.raises(BadInput, match="at most 20"):
        own_fields.read("\n".join(f"a{number} | A | text" for number in range(21)))


def test_lines_can_only_be_counted_where_a_list_is_required() -> None:
    own_fields.check(QuantityRule.ONE_A_LINE, own_fields.read("a | A | lines"))
    for fields in ("", "a | A | text", "a | A | lines optional"):
        with pytest.raises(BadInput):
            own_fields.check(QuantityRule.ONE_A_LINE, own_fields.read(fields))
