"""Values of an order's fields: kept to the byte, with uniform line ends, and refused where they are wrong."""

import pytest

from panel.domain.errors import BadField, QuantityTooLarge, QuantityTooSmall
from panel.domain.forms import values
from panel.domain.forms.order_form import FieldRule, OrderForm
from panel.domain.forms.order_types import TYPES
from panel.domain.forms.own_fields import form_of
from tests.support.form_factories import LINES, given_for

COMMENTS, POLL, TRAFFIC = TYPES["Custom Comments"], TYPES["Poll"], TYPES["Web Traffic"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n", "\r\n \t\r\n"])
def test_lines_are_kept_to_the_byte_with_one_kind_of_end(end: str) -> None:
    given = end + end.join(LINES) + end

    kept = values.read(COMMENTS, {"comments": given})

    assert kept == {"comments": "\n".join(LINES)}
    assert values.read(COMMENTS, kept) == kept


@pytest.mark.parametrize("unseen", ["\u200b", " \u2060\u00a0", "\ufeff", "\u200f\u202e", "\u2028"])
def test_invisible_characters_are_neither_a_line_nor_a_value(unseen: str) -> None:
    kept = values.read(COMMENTS, {"comments": f"{unseen}\nGood {unseen}👩‍🚀\n{unseen}"})

    assert kept == {"comments": f"Good {unseen}👩‍🚀"}
    assert values.uniform(TYPES["Comment Likes"], {"username": unseen}) == {}


@pytest.mark.parametrize("form", TYPES.values(), ids=TYPES)
def test_every_type_takes_its_fields_and_misses_each_required_one(form: OrderForm) -> None:
    given = given_for(form)

    assert values.read(form, given) == given
    for rule in form.fields:
        rest = {name: value for name, value in given.items() if name != rule.name}
        assert [fault.field for fault in values.faults(form, rest)] == ([rule.name] if _is_due(rule, given) else [])


def _is_due(rule: FieldRule, given: dict[str, str]) -> bool:
    return rule.is_required or (rule.required_if is not None and given.get(rule.required_if[0]) == rule.required_if[1])


def test_traffic_needs_the_keyword_or_the_page_that_its_type_asks_for() -> None:
    given = {"country": "US", "device": "5", "type_of_traffic": "3"}

    assert values.read(TRAFFIC, given) == given
    assert [fault.field for fault in values.faults(TRAFFIC, given | {"type_of_traffic": "1"})] == ["google_keyword"]
    assert [fault.field for fault in values.faults(TRAFFIC, given | {"type_of_traffic": "2"})] == ["referring_url"]


@pytest.mark.parametrize(
    ("form", "given"),
    [
        (POLL, {"answer_number": "0"}),
        (POLL, {"answer_number": "101"}),
        (POLL, {"answer_number": "-1"}),
        (POLL, {"answer_number": "1.5"}),
        (POLL, {"answer_number": "²"}),
        (TYPES["Comment Likes"], {"username": "x" * 501}),
        (TYPES["Comment Likes"], {"username": "two\nlines"}),
        (TYPES["Comment Likes"], {"username": "bell\x07"}),
        (COMMENTS, {"comments": "x" * 501}),
        (COMMENTS, {"comments": "\n".join(["x"] * 10_001)}),
        (COMMENTS, {"comments": "vertical\x0btab"}),
        (COMMENTS, {"comments": "fine", "username": "anna"}),
        (TRAFFIC, {"country": "US", "device": "6", "type_of_traffic": "3"}),
        (TYPES["Default"], {"comments": "x"}),
    ],
)
def test_wrong_values_are_refused_by_their_field(form: object, given: dict[str, str]) -> None:
    with pytest.raises(BadField) as error:
        values.read(form, given)

    assert error.value.field == ("device" if "device" in given else list(given)[-1])


@pytest.mark.parametrize(
    ("form", "given"),
    [
        (POLL, {"answer_number": "100"}),
        (COMMENTS, {"comments": "\n".join(["x"] * 10_000)}),
        (COMMENTS, {"comments": "x" * 500}),
    ],
)
def test_values_at_their_limit_are_taken(form: OrderForm, given: dict[str, str]) -> None:
    assert values.read(form, given) == given


def test_numbers_are_made_uniform() -> None:
    assert values.read(POLL, {"answer_number": " 007 "}) == {"answer_number": "7"}


def test_quantity_is_the_number_of_lines_within_the_limits() -> None:
    kept = values.read(COMMENTS, {"comments": "a\n\n b\nc"})

    assert values.quantity(COMMENTS, kept, minimum=3, maximum=3) == 3
    with pytest.raises(QuantityTooSmall) as small:
        values.quantity(COMMENTS, kept, minimum=4, maximum=9)
    with pytest.raises(QuantityTooLarge) as large:
        values.quantity(COMMENTS, kept, minimum=1, maximum=2)
    assert small.value.field == large.value.field == "comments"
    assert "You entered 3." in small.value.message


def test_a_package_is_one_whatever_its_comments() -> None:
    form = TYPES["Custom Comments Package"]

    assert values.quantity(form, {"comments": "a\nb"}, minimum=1, maximum=1) == 1
    assert form_of("Anything", "fixed_package", "").is_package
