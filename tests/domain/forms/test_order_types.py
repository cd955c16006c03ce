"""Table of order types: what each takes, and that it says so consistently."""

import pytest

from panel.domain.forms import order_types, own_fields
from panel.domain.forms.order_form import RESERVED, FieldKind, OrderForm, QuantityRule
from panel.domain.forms.order_types import TYPES

# The contract of API v2: field names, and whether a quantity is sent.
CONTRACT = {
    "Default": (True, ()),
    "Package": (False, ()),
    "Custom Comments": (False, ("comments",)),
    "Custom Comments Package": (False, ("comments",)),
    "Mentions": (True, ("usernames",)),
    "Mentions with Hashtags": (True, ("usernames", "hashtags")),
    "Mentions Custom List": (False, ("usernames",)),
    "Mentions Hashtag": (True, ("hashtag",)),
    "Mentions User Followers": (True, ("username",)),
    "Mentions Media Likers": (True, ("media",)),
    "Comment Likes": (True, ("username",)),
    "Comment Replies": (False, ("username", "comments")),
    "Poll": (True, ("answer_number",)),
    "Invites from Groups": (True, ("groups",)),
    "Web Traffic": (True, ("country", "device", "type_of_traffic", "google_keyword", "referring_url")),
    "SEO": (True, ("keywords",)),
}


def test_the_table_says_what_the_contract_says() -> None:
    assert {name: (form.takes_quantity, form.names) for name, form in TYPES.items()} == CONTRACT


@pytest.mark.parametrize("form", TYPES.values(), ids=TYPES)
def test_every_form_can_be_filled_in(form: OrderForm) -> None:
    assert form.is_ready
    assert not RESERVED & set(form.names)
    assert (form.quantity_rule is QuantityRule.ONE_A_LINE) == (form.counted is not None)
    for rule in form.fields:
        assert rule.label and rule.example
        assert (rule.kind is FieldKind.CHOICE) == bool(rule.choices)


@pytest.mark.parametrize("form", TYPES.values(), ids=TYPES)
def test_fields_of_every_type_can_be_written_as_own_fields(form: OrderForm) -> None:
    written = own_fields.write(form.fields)

    read = own_fields.read(written)

    assert own_fields.write(read) == written
    assert [(rule.name, rule.kind, rule.choices, rule.maximum) for rule in read] == [
        (rule.name, rule.kind, rule.choices, rule.maximum) for rule in form.fields
    ]


def test_a_type_is_known_whatever_its_capitals_and_spaces() -> None:
    assert order_types.known_name("  custom  COMMENTS ") == "Custom Comments"
    assert order_types.known_name("Live Stream") is None


def test_unknown_order_type_has_no_form_until_its_quantity_rule_is_set() -> None:
    assert not own_fields.form_of("Live Stream", "", "").is_ready

    form = own_fields.form_of("Live Stream", "by_quantity", "minutes | Minutes | number | 1-60")

    assert form.is_ready and form.takes_quantity
    assert (form.fields[0].minimum, form.fields[0].maximum) == (1, 60)
