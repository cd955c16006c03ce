"""Parser for the amounts of money on a page: row, label and value in nanos."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser

VOID = {"input", "br", "hr", "meta", "link", "img", "wbr"}
NANO_DIGITS = 9


@dataclass(frozen=True)
class Figure:
    """An amount with the id of its row and its label: the term, or the column's name."""

    row: str
    label: str
    nanos: int


def nanos_of(text: str) -> int:
    """The amount written as `$1,204.864`, `−$0.50` or `0.90`, in nanos."""
    found = re.fullmatch(r"([−-]?)\s?\$?([0-9,]+)\.([0-9]{2,9})", text.strip())
    assert found is not None, f"{text!r} is no amount"
    sign, whole, part = found.groups()
    nanos: int = int(whole.replace(",", "")) * 10**NANO_DIGITS + int(part.ljust(NANO_DIGITS, "0"))
    return -nanos if sign else nanos


def amounts_in(text: str) -> list[int]:
    """All amounts in the text with their signs, in reading order."""
    return [nanos_of(found) for found in re.findall(r"\$[0-9,]+\.[0-9]{2,9}", text)]


class PageFigures(HTMLParser):
    """A parsed page; `figures` are its amounts, whose text and machine-readable value must agree."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.figures: list[Figure] = []
        self.text = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self._term: list[str] = []
        self._amount: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "dt":
            self._term = []
        if tag == "data":
            self._amount = []
        if tag not in VOID:
            self._open.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        names = [tag for tag, _given in self._open]
        if "script" in names or "style" in names:
            return
        self.text += data
        if "dt" in names:
            self._term.append(data)
        if "data" in names:
            self._amount.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "data":
            self._note()
        while self._open and self._open.pop()[0] != tag:
            pass

    def _note(self) -> None:
        given = self._open[-1][1]
        nanos = nanos_of("".join(self._amount))
        assert nanos_of(given["value"] or "") == nanos, "people and machines read different amounts"
        if "data-nanos" in given:
            assert int(given["data-nanos"] or "") == nanos
        self.figures.append(Figure(self._row(), self._label(), nanos))

    def _row(self) -> str:
        return next((given.get("id") or "" for tag, given in reversed(self._open) if tag == "tr"), "")

    def _label(self) -> str:
        for tag, given in reversed(self._open):
            if tag == "dt":
                return ""
            if tag == "dd":
                return " ".join("".join(self._term).split())
            if tag in ("td", "th"):
                return given.get("data-label") or ""
        return ""

    def beside(self, words: str) -> list[int]:
        """Amounts whose label starts with these words."""
        return [figure.nanos for figure in self.figures if figure.label.startswith(words)]

    def in_row(self, row: str, label: str | None = None) -> list[int]:
        """Amounts of the row with this id, in this column if one is given."""
        return [each.nanos for each in self.figures if each.row == row and label in (None, each.label)]

    @property
    def line(self) -> str:
        """The page's text on one line."""
        return " ".join(self.text.split())


def only(amounts: Sequence[int]) -> int:
    """The single amount, which may be shown several times."""
    assert len(set(amounts)) == 1, f"not one amount but {amounts}"
    return amounts[0]
