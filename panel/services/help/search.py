"""Full-text search over help pages and tools: an in-memory index, ranked by integer scores.

The score grows with the number of matching words, with their rarity, and with matches in the title.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_QUERY_LENGTH = 100
MAX_WORDS = 12
MAX_HITS = 20
EXCERPT_LENGTH = 200
LEAD_LENGTH = 60

# Scores per matching word: for being there, in the title, and in the text (up to a maximum number of times).
FOR_HAVING = 1_000
IN_TITLE = 12
IN_TEXT_MOST_TIMES = 3
FROM_START_OF_WORD = 2

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_ENDINGS = ("ings", "ing", "ies", "ied", "ed", "es", "s", "e", "y")
_MIN_STEM_LENGTH = 3
# Synonyms: a reader's word, and ours.
_SAME = {"cancelled": "canceled", "cancelling": "canceled", "refund": "return", "refunds": "return", "cost": "price"}
# Stop words.
_COMMON_TEXT = """
    a an and are at be by can do does for from has have how i if in is it me my of on or so that the this to was what
    when where which who why will with you your
"""
_COMMON = frozenset(_COMMON_TEXT.split())


@dataclass(frozen=True)
class Document:
    """A search document: a page or a section of one."""

    path: str
    kind: str
    title: str
    text: str


@dataclass(frozen=True)
class ExcerptPiece:
    """Part of an excerpt; `is_match` parts are highlighted."""

    text: str
    is_match: bool


@dataclass(frozen=True)
class Hit:
    """A search result: the document, with title and excerpt split for highlighting."""

    document: Document
    title: tuple[ExcerptPiece, ...]
    excerpt: tuple[ExcerptPiece, ...]


class Index:
    """The index over all documents. Rebuilt for each version of its content."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.documents = tuple(documents)
        self._titles = [Counter(stems(each.title)) for each in self.documents]
        self._texts = [Counter(stems(each.text)) for each in self.documents]
        self._having: dict[str, set[int]] = defaultdict(set)
        for number, (title, text) in enumerate(zip(self._titles, self._texts, strict=True)):
            for stem in title.keys() | text.keys():
                self._having[stem].add(number)

    def find(self, query: str) -> list[Hit]:
        """The best matches, best first; none for a query without words."""
        asked = wanted(query)
        scores: Counter[int] = Counter()
        shown: set[str] = set()
        for stem in asked:
            alike = self._alike(stem)
            shown |= alike
            for number in {number for one in alike for number in self._having[one]}:
                scores[number] += FOR_HAVING + self._score(number, stem, alike)
        best = sorted(scores, key=lambda number: (-scores[number], number))[:MAX_HITS]
        return [self._hit(self.documents[number], shown) for number in best]

    def _alike(self, stem: str) -> set[str]:
        """Indexed words equal to this one, or with it as a prefix if it is long enough."""
        if len(stem) < _MIN_STEM_LENGTH:
            return {stem} & self._having.keys()
        return {known for known in self._having if known.startswith(stem)}

    def _score(self, number: int, stem: str, alike: set[str]) -> int:
        score = 0
        for one in alike:
            times = min(self._texts[number][one], IN_TEXT_MOST_TIMES) + IN_TITLE * min(self._titles[number][one], 1)
            rarity = (len(self.documents) // len(self._having[one])).bit_length()
            score += times * rarity * (FROM_START_OF_WORD if one == stem else 1)
        return min(score, FOR_HAVING - 1)

    def _hit(self, document: Document, shown: set[str]) -> Hit:
        return Hit(document, pieces(document.title, shown), pieces(_excerpt(document.text, shown), shown))


def wanted(query: str) -> list[str]:
    """The query's stems, without stop words unless there are no others."""
    words = [word.lower() for word in _WORD.findall(query[:MAX_QUERY_LENGTH])][:MAX_WORDS]
    telling = [word for word in words if word not in _COMMON]
    return list(dict.fromkeys(_stem(word) for word in telling or words))


def stems(text: str) -> list[str]:
    return [_stem(word.lower()) for word in _WORD.findall(text)]


def pieces(text: str, shown: set[str]) -> tuple[ExcerptPiece, ...]:
    """Split the text at the boundaries of matching words."""
    found: list[ExcerptPiece] = []
    at = 0
    for match in _WORD.finditer(text):
        if _stem(match[0].lower()) in shown:
            found += [ExcerptPiece(text[at : match.start()], False), ExcerptPiece(match[0], True)]
            at = match.end()
    found.append(ExcerptPiece(text[at:], False))
    return tuple(piece for piece in found if piece.text)


def _excerpt(text: str, shown: set[str]) -> str:
    """The text around the first match, cut between words."""
    first = next((match.start() for match in _WORD.finditer(text) if _stem(match[0].lower()) in shown), 0)
    start = 0 if first <= LEAD_LENGTH else text.rfind(" ", 0, first - LEAD_LENGTH) + 1
    if len(text) - start <= EXCERPT_LENGTH:
        return f"{'… ' if start else ''}{text[start:]}"
    end = text.rfind(" ", start, start + EXCERPT_LENGTH)
    return f"{'… ' if start else ''}{text[start : end if end > start else start + EXCERPT_LENGTH]} …"


def _stem(word: str) -> str:
    word = _SAME.get(word, word)
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM_LENGTH:
            return word[: -len(ending)]
    return word


def joined(texts: Sequence[str]) -> str:
    """Texts joined into one, with single spaces."""
    return " ".join(" ".join(text.split()) for text in texts if text)
