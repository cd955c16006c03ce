"""Link validation: a refusal says what is wrong and what the link should look like."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panel.domain.errors import BadCatalogue, BadLink
from panel.domain.links import MAX_LENGTH, canonical, check_link, check_rule, is_web_link, shorten
from tests.support.time_limit import run_in_subprocess

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
        (f"https://example.com/{'a' * MAX_LENGTH}", "longer than 2,000"),
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
        ("a{9999}", EXAMPLE, "https://example.com/", "link.pattern"),
        ("a{99999999999999999999}", EXAMPLE, "https://example.com/", "link.example"),
        (r"(?=https)\S+", EXAMPLE, "https://example.com/", "link.pattern"),
        (r"https://(a)\1", EXAMPLE, "https://example.com/", "link.pattern"),
        (f"{PATTERN}{'a?' * 300}", EXAMPLE, "https://example.com/", "link.pattern"),
        ("((a{99}){99}){99}", EXAMPLE, "https://example.com/", "link.pattern"),
        ("\ud800", EXAMPLE, "https://example.com/", "link.pattern"),
        (PATTERN, "https://example.com/", "https://example.com/", "link.example"),
        (PATTERN, EXAMPLE, "https://example.com/other", "link.counter_example"),
        (r".*", "not an address", "https://example.com/", "link.example"),
    ],
)
def test_unusable_rule_is_refused_with_its_field(pattern: str, example: str, counter_example: str, says: str) -> None:
    with pytest.raises(BadCatalogue) as refused:
        check_rule(pattern=pattern, example=example, counter_example=counter_example, hint=HINT)

    assert refused.value.message.startswith(says)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Https://example.com/My-Page", "https://example.com/My-Page"),
        ("HTTPS://EXAMPLE.COM/My-Page?Q=A#B", "https://example.com/My-Page?Q=A#B"),
        ("https://Example.Com?A=B", "https://example.com?A=B"),
        ("https://Example.Com#A", "https://example.com#A"),
        ("https://EXAMPLE.com", "https://example.com"),
        ("http://Example.com:8080/A", "http://example.com:8080/A"),
        ("https://ПРИМЕР.example/Ы", "https://пример.example/Ы"),
    ],
)
def test_scheme_and_host_are_kept_in_lower_case_and_the_rest_as_typed(typed: str, stored: str) -> None:
    assert checked(typed, pattern=r"https?://[^A-Z]+\S*") == stored
    assert canonical(stored) == stored


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "1.0.0x",
        "10.0.0.1:443",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "999.1.1.1",
        "１２７.０.０.１",
        "127。0。0。1",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "a.localhost",
        "printer.local",
        "Printer.LOCAL.",
        "db.internal",
        "router.lan",
        "nas.home.arpa",
        "panel",
        "%31%32%37.0.0.1",
        "a..example.com",
        "a!b.example.com",
    ],
)
def test_link_to_what_is_not_on_the_public_internet_is_refused(host: str) -> None:
    with pytest.raises(BadLink, match="no public host name"):
        checked(f"https://{host}/a", pattern=r"https?://\S+")


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "a_b.example.com.",
        "1and1.example",
        "8.8.8.8",
        "[2606:4700:4700::1111]",
        "münchen.example",
        "xn--mnchen-3ya.example",
        "mylocal.example",
        "notinternal.example",
        "local.example",
    ],
)
def test_link_to_a_public_host_passes(host: str) -> None:
    assert checked(f"https://{host}/a", pattern=r"https?://\S+") == f"https://{host}/a"


HOSTILE = [
    r"https://([a-z0-9-]+[.]?)+/post/[0-9]+",
    r"https://(.*)*/x",
    r"(https://([a-z]|[a-z])+)+!",
    r"https://.*.*.*.*.*.*.*.*.*.*.*.*.*!",
    r".*a.{900}",
    r"(([a-z0-9]{1,200}[.]?){1,4}/)+",
]


@pytest.mark.parametrize("pattern", HOSTILE)
def test_no_pattern_is_slow_on_any_link(pattern: str) -> None:
    """With a backtracking engine the first of these took minutes for 24 letters."""
    seconds = run_in_subprocess(
        f"""
        from panel.domain import links
        from panel.domain.errors import BadLink

        for text in ("a" * 30, "a" * 1900, "a." * 900, "a/" * 900, "ab-" * 600):
            try:
                links.check_link("https://example.com/" + text, pattern={pattern!r}, example="", hint="")
            except BadLink:
                pass
        """
    )

    assert seconds < 1


def test_unusable_stored_pattern_refuses_every_link_and_says_that_it_is_not_the_links_fault() -> None:
    with pytest.raises(BadLink, match="can’t be checked right now"):
        checked(EXAMPLE, pattern="(?=x)")


@pytest.mark.parametrize(
    ("link", "is_web"),
    [
        ("https://example.com/a", True),
        ("http://example.com/a", True),
        ("javascript://example.com/%0aalert(1)", False),
        ("data:text/html,https://example.com", False),
        (" https://example.com", False),
        ("", False),
    ],
)
def test_only_web_links_may_be_followed(link: str, is_web: bool) -> None:
    assert is_web_link(link) is is_web


@pytest.mark.parametrize(
    ("link", "shown"),
    [
        ("https://example.com/a", "example.com/a"),
        ("http://shop.example.com/12345678", "shop.example.…m/12345678"),
        ("https://shop.example.com/1234567", "shop.example.com/1234567"),
        ("https://podcast.example.com/episodes/41-harbors", "podcast.examp…41-harbors"),
    ],
)
def test_link_in_a_table_is_cut_in_its_middle(link: str, shown: str) -> None:
    assert shorten(link) == shown
