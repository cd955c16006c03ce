"""Status pages: the answer comes first, and each page has enough text of its own."""

import re
from itertools import combinations
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from panel.domain.status import Status
from panel.settings import ROOT
from tests.content.pages import main_of, page

MIN_WORDS = 250
MAX_SHARED_WORDS = 8
FOLDER = ROOT / "content" / "statuses"
WORD = re.compile(r"[\w’'-]+")


def prose(path: Path) -> str:
    """The page's own prose, without front matter, headings, facts, code and addresses."""
    text = path.read_text().split("---", 2)[2]
    return re.sub(r"^## .*$|\{\{.*?\}\}|`[^`]*`|\]\([^)]*\)", " ", text, flags=re.M)


def sentences(text: str) -> set[tuple[str, ...]]:
    found = {tuple(WORD.findall(sentence.lower())) for sentence in re.split(r"(?<=[.?:])\s+", text)}
    return {sentence for sentence in found if len(sentence) > MAX_SHARED_WORDS}


@pytest.mark.parametrize("status", Status)
def test_status_page_has_prose_of_its_own(status: Status) -> None:
    assert len(WORD.findall(prose(FOLDER / f"{status}.md"))) >= MIN_WORDS


def test_no_sentence_is_on_two_status_pages() -> None:
    own = {status: sentences(prose(FOLDER / f"{status}.md")) for status in Status}

    assert all(len(found) > 5 for found in own.values())
    assert [own[one] & own[other] for one, other in combinations(Status, 2) if own[one] & own[other]] == []


def test_status_page_begins_with_the_answer(client: FlaskClient) -> None:
    for status in Status:
        main = main_of(page(client, f"/order-statuses/{status.slug}"))
        lead = re.search(r"</h1>\s*<div class=\"lead\"[^>]*>\s*<p>(.*?)</p>", main, re.S)
        assert lead and lead[1].startswith(f"{status.label} means that ")


def test_overview_shows_each_fact_once(client: FlaskClient) -> None:
    html = page(client, "/order-statuses")
    # The diagram's text is for assistive technology only.
    seen = re.sub(r"<svg.*?</svg>|<script.*?</script>|<head>.*?</head>", " ", html, flags=re.S).replace("&#39;", "'")

    for status in Status:
        for fact in (status.facts.means, status.facts.you_do, status.facts.money_words):
            others = [other for other in Status if fact in (other.facts.means, other.facts.you_do)]
            same = max(1, len(others), sum(fact == other.facts.money_words for other in Status))
            assert seen.count(fact) == same, (status, fact)
