"""Order forms in a catalogue file: types, own fields, and the price of a package."""

import pytest

from panel.domain.errors import BadCatalogue
from panel.services.catalogue import file_format
from tests.services.catalogue.test_tools import GOOD

PACKAGE = (
    GOOD.replace('price_per_thousand: "0.90"', 'type: package\n  price_per_package: "4.50"')
    .replace("minimum: 50", "minimum: 1")
    .replace("maximum: 10000", "maximum: 1")
)
OWN = """type: Live Stream
  quantity: by_quantity
  fields: |
    minutes | Minutes | number | 1-60 | 30
  unit: visits"""


def read(text: str) -> file_format.TermsWritten:
    [tool] = file_format.read(text.encode(), name="tools.yaml")
    return tool.terms


def test_a_type_of_the_table_needs_its_name_alone() -> None:
    terms = read(GOOD.replace("unit: visits", "type: custom comments\n  unit: visits"))

    assert (terms.order_type, terms.quantity_rule, terms.form.names) == ("Custom Comments", "", ("comments",))


def test_a_package_has_the_price_of_one() -> None:
    terms = read(PACKAGE)

    assert (terms.order_type, terms.rate, terms.price_micros_per_thousand) == ("Package", "4.50", 4_500_000_000)


def test_own_fields_are_kept_as_they_are_always_written() -> None:
    terms = read(GOOD.replace("unit: visits", OWN))

    assert (terms.order_type, terms.quantity_rule) == ("Live Stream", "by_quantity")
    assert terms.own_fields == "minutes | Minutes | number | 1-60 | 30"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD.replace("unit: visits", "type: Live Stream\n  unit: visits"), "type: This type isn’t known here"),
        (GOOD.replace("unit: visits", "type: Package\n  unit: visits"), "maximum: A package is ordered one at a time"),
        (PACKAGE.replace("price_per_package", "price_per_thousand"), "price_per_thousand: A tool of this type has"),
        (GOOD.replace("price_per_thousand", "price_per_package"), "price_per_package: A tool of this type has"),
        (GOOD.replace('  price_per_thousand: "0.90"\n', ""), "price_per_thousand: This field is missing"),
        (GOOD.replace("unit: visits", OWN.replace("by_quantity", "by_hand")), "quantity: Write one of"),
        (GOOD.replace("unit: visits", OWN.replace("1-60", "60-1")), "fields: Field 1: write the limits"),
        (GOOD.replace("unit: visits", OWN.replace("by_quantity", "one_a_line")), "fields: One a line needs"),
        (GOOD.replace("unit: visits", OWN.replace("quantity: by_quantity\n  ", "")), "type: This type isn’t known"),
    ],
)
def test_a_wrong_form_is_refused_with_its_field(text: str, fault: str) -> None:
    with pytest.raises(BadCatalogue, match=fault):
        read(text)
