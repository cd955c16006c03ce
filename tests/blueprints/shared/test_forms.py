import pytest

from panel.blueprints.shared.forms import by_field, whole_number
from panel.domain.errors import BadInput


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, None),
        ("", None),
        ("-1", None),
        ("1.0", None),
        ("٣", None),
    ],
)
def test_whole_number_reads_ascii_digits_alone(text: str, number: int | None) -> None:
    assert whole_number(text) == number


def test_error_is_shown_under_its_field_or_above_the_form() -> None:
    assert by_field(BadInput("Write a name.", field="name")) == {"name": "Write a name."}
    assert by_field(BadInput("Nothing was changed.")) == {"": "Nothing was changed."}
    assert by_field(None) == {}
