"""Plain English: pages, emails and help texts use none of the words that the product no longer says."""

import re

import pytest

from tests.rules.source import ROOT, name_of

# Each word with what to write instead.
WORDS = {
    r"status guide": "order statuses",
    r"top-ups?(?!-| delivery)": "deposit; refill",
    r"add money": "add funds",
    r"get a reference|name th(e|is) reference": "put the payment reference in the payment note",
    r"unused": "what was not delivered",
    r"what ran|to the last digit": "you only pay for what was delivered",
    r"free to use": "available",
    r"look into your mailbox": "check your email",
    r"sign(ed|s)?[ -](in|out)": "log in, log out",
    r"work(s|ed)? no more|no more works": "no longer works",
    r"commonly": "usually",
    r"anew": "again",
    r"unasked": "automatically",
    r"second factors?": "two-factor authentication",
    r"least (order|of one order|to most)|most of one order": "minimum order, maximum order, min–max",
    r"told of": "reported",
    r"no incident has been": "no incidents in the last 90 days",
    r"order(s|ing)? by lines": "mass order",
    r"keep this choice": "save",
    r"what waits": "needs attention",
    r"handed over": "sent to the provider",
    r"changed in substance": "last updated",
    r"the best first": "11 results for ...",
    r"not enough (orders|refills|tickets) yet": "not enough data yet",
}
FORBIDDEN = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
# Not visible: comments, and addresses and ids in tags.
UNREAD = re.compile(r"\{#.*?#\}|\b(?:id|href|action|for|name|aria-\w+by)=\"[^\"]*\"|\]\([^)]*\)", re.DOTALL)


def forbidden_words(text: str) -> list[str]:
    return [" ".join(match[0].lower().split()) for match in FORBIDDEN.finditer(UNREAD.sub(" ", text))]


def test_pages_and_emails_use_none_of_the_old_words() -> None:
    files = [path for folder in ("templates", "content") for path in sorted((ROOT / folder).rglob("*.*"))]
    assert len(files) > 200
    found = {name_of(path): forbidden_words(path.read_text(encoding="utf-8")) for path in files}

    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "text",
    [
        "This link works no more.",
        "Sign in",
        "the unused\namount",
        '<a href="/x">Status guide</a>',
        "{{ f('Add money') }}",
    ],
)
def test_old_words_are_found(text: str) -> None:
    assert len(forbidden_words(text)) == 1


@pytest.mark.parametrize(
    "text", ["{# drawn anew #}", '<a id="top-up-1" href="/account/second-factor">It</a>', "design in"]
)
def test_hidden_text_is_not_searched(text: str) -> None:
    assert forbidden_words(text) == []
