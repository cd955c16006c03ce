"""A link is looked at before money moves, and the answer says what is wrong and how it should look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.errors import BadCatalogue, BadLink
from panel.domain.links import MOST_LENGTH, check_link, check_rule

PATTERN = r"https://example\.com/[a-z0-9-]+"
EXAMPLE = "https://example.com/my-page"
HINT = "Copy the address of one page."


def checked(link: str, *, pattern: str = PATTERN) -> str:
    return check_link(link, pattern=pattern, example=EXAMPLE, hint=HINT)


def test_link_of_the_right_form_passes_without_the_spaces_around_it() -> None:
    assert checked(f"  {EXAMPLE} \n") == EXAMPLE


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ("", "missing"),
        ("   ", "missing"),
        (f"https://example.com/{'a' * MOST_LENGTH}", "longer than 2,000"),
        ("https://example.com/my page", "space"),
        ("https://example.com/my\u200bpage", "invisible"),
        ("https://example.com/my\u202epage", "invisible"),
        ("https://example.com/a\x00b", "invisible"),
        ("example.com/my-page", "must start with https://"),
        ("ftp://example.com/my-page", "must start with https://"),
        ("javascript:alert(1)", "must start with https://"),
        ("https://me:secret@example.com/my-page", "user name or password"),
        ("https://example.com@other.example/my-page", "user name or password"),
        ("https://localhost/my-page", "no public host name"),
        ("https:///my-page", "no public host name"),
        ("https:example.com/my-page", "no public host name"),
        ("https://[::1/my-page", "not a complete address"),
        ("https://example.com:port/my-page", "not a complete address"),
        ("https://example.com/", "does not have the form"),
        ("https://example.com/my-page/more", "does not have the form"),
        ("https://other.example/my-page", "does not have the form"),
        ("https://example.com/ｍy-page", "does not have the form"),
    ],
)
def test_refusal_says_what_is_wrong_and_how_a_link_should_look(link: str, says: str) -> None:
    with pytest.raises(BadLink) as refused:
        checked(link)

    assert says in refused.value.message
    assert f"It should look like {EXAMPLE}. {HINT}" in refused.value.message
    assert refused.value.field == "link"


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_refused_and_never_a_crash(text: str) -> None:
    try:
        link = check_link(text, pattern=r".+", example=EXAMPLE, hint="")
    except BadLink as refused:
        assert refused.field == "link"
    else:
        assert link.startswith(("http://", "https://")) or link.lower().startswith("http")


def test_rule_with_a_passing_and_a_failing_example_is_usable() -> None:
    check_rule(pattern=PATTERN, example=EXAMPLE, counter_example="https://example.com/", hint=HINT)

    assert checked(EXAMPLE) == EXAMPLE


@pytest.mark.parametrize(
    ("pattern", "example", "counter_example", "says"),
    [
        ("(", EXAMPLE, "https://example.com/", "link.pattern"),
        ("(?u)x", EXAMPLE, "https://example.com/", "link.pattern"),
        ("(?L)x", EXAMPLE, "https://example.com/", "link.pattern"),
        ("a{99999999999999999999}", EXAMPLE, "https://example.com/", "link.pattern"),
        (PATTERN, "https://example.com/", "https://example.com/", "link.example"),
        (PATTERN, EXAMPLE, "https://example.com/other", "link.counter_example"),
        (r".*", "not an address", "https://example.com/", "link.example"),
    ],
)
def test_unusable_rule_is_refused_with_its_field(pattern: str, example: str, counter_example: str, says: str) -> None:
    with pytest.raises(BadCatalogue) as refused:
        check_rule(pattern=pattern, example=example, counter_example=counter_example, hint=HINT)

    assert refused.value.message.startswith(says)
