"""Spelling: every word is in an American English dictionary or in our own list."""

import re
from functools import cache
from pathlib import Path

from spellchecker import SpellChecker

from tests.rules.source import ROOT

TEXTS = sorted([*(ROOT / "content").rglob("*.md"), *(ROOT / "content").rglob("*.yaml")])
TEMPLATES = sorted([*(ROOT / "templates" / "help").glob("*.html"), *(ROOT / "templates" / "search").glob("*.html")])
FILES = [*TEXTS, *TEMPLATES]
OWN_WORDS = Path(__file__).parent / "words.txt"
WORD = re.compile(r"[A-Za-z]+(?:['’][a-z]+)?")
BRITISH = re.compile(
    r"\b\w*(?:colour|favour|behaviour|honour|cancell(?:ed|ing|er)|licence|centre|defence|fulfil(?:s|ment)?\b|travell|judgement"
    r"|[a-z]{3}(?:is|ys)(?:e|es|ed|ing|ation)\b)\w*",
    re.IGNORECASE,
)
# Words that look British but are American too.
ALSO_AMERICAN = {"advertising", "otherwise", "promise", "promised", "raised", "surprise"}


@cache
def dictionary() -> SpellChecker:
    checker = SpellChecker(language="en")
    checker.word_frequency.load_words(own_words())
    return checker


def own_words() -> list[str]:
    return OWN_WORDS.read_text().split()


def written(path: Path) -> str:
    """The prose of a file, without code, addresses, markup, and names of facts and keys."""
    text = re.sub(r"\{% block (?:robots|picture) %\}.*", " ", path.read_text())
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|<[^>]*>|&\w+;", " ", text, flags=re.S)
    text = re.sub(r"```.*?```|`[^`]*`|https?://\S+|\]\([^)]*\)|\S+@\S+", " ", text, flags=re.S)
    if path.suffix == ".yaml":
        text = "\n".join(re.findall(r"^ *-? *(?:name|category|summary|unit|hint): (.*)$", text, re.M))
    return re.sub(r"^[ -]*[a-z_]+:(?: /\S*)?|^ +- /\S*", " ", text, flags=re.M)


def words(path: Path) -> set[str]:
    return {word.replace("’", "'").removesuffix("'s").lower() for word in WORD.findall(written(path))}


def test_every_word_is_spelled_as_the_dictionary_has_it() -> None:
    unknown = {path.name: dictionary().unknown(words(path)) for path in FILES}

    assert {name: found for name, found in unknown.items() if found} == {}


def test_spelling_is_american() -> None:
    british = {path.name: {match[0].lower() for match in BRITISH.finditer(written(path))} for path in FILES}

    assert {name: found - ALSO_AMERICAN for name, found in british.items() if found - ALSO_AMERICAN} == {}


def test_our_own_words_are_all_in_use_and_in_order() -> None:
    used = set().union(*(words(path) for path in FILES))

    assert own_words() == sorted(set(own_words()) & used)


def test_a_misspelled_word_is_found() -> None:
    assert dictionary().unknown({"recieved", "balance", "seperate"}) == {"recieved", "seperate"}
