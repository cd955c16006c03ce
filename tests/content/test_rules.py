"""Rules on help pages: each sentence that states a rule has a test that checks the code."""

import re

from panel.blueprints.shared.help_texts import texts
from tests.content.rules import RULES
from tests.rules.source import ROOT

# Guides about how orders, money and accounts behave. The others are rules for people, and definitions.
TELLING = (
    "getting-started",
    "how-we-work",
    "order-statuses",
    "privacy",
    "refund-policy",
    "reliability",
    "terms-of-service",
)
SOUNDS_LIKE_A_RULE = re.compile(
    r"\b(?:never|whole (?:amount|charge)|unused amount|at once|by itself|by themselves|same moment|same step"
    r"|settled|divided|kept|held|no charge|costs nothing|nothing is (?:charged|rounded|kept)|charges? you"
    r"|not sen[dt]|again by|tried again|still open|cannot be|can be removed|edit|only where|a log-in)\b",
    re.IGNORECASE,
)
# Sentences with such a word that state no rule, or repeat that of a sentence next to them.
NO_RULE = (
    "this page explains what we do in between",
    "is never seen",
    "never report this stage",
    "it should load without a log-in",
    "they are not sent to other sites",
)


def sentences() -> list[str]:
    content = texts()
    pages = [*content.statuses.values(), *(each.page for each in content.questions)]
    pages += [content.guides[name] for name in TELLING]
    found = []
    for page in pages:
        whole = [page.prose.plain_intro, *(part.plain for part in page.prose.parts)]
        found += [sentence for text in whole for sentence in re.split(r"(?<=[.?]) ", text.lower())]
    return found


def test_every_sentence_that_sounds_like_a_rule_is_bound_to_a_test() -> None:
    loose = [
        sentence
        for sentence in sentences()
        if SOUNDS_LIKE_A_RULE.search(sentence) and not any(words in sentence for words in (*RULES, *NO_RULE))
    ]

    assert loose == []


def test_the_words_of_every_rule_are_in_the_texts() -> None:
    known = sentences()

    assert [words for words in RULES if not any(words in sentence for sentence in known)] == []


def test_the_test_of_every_rule_exists() -> None:
    files = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    known = {name for text in files for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}

    assert set(RULES.values()) - known == set()
