"""Sanitizes untrusted text for single lines and plain text: no control characters, no bidirectional overrides."""

import re
import unicodedata

MAX_IN_A_LINE = 200
_SPACES = frozenset("\t\n\r\v\f\x85\u2028\u2029")
# Control, format, surrogate and private-use characters. Characters unknown to this Unicode version stay.
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Co"})

_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a database can store the text: no NUL, which PostgreSQL rejects, and no half of a surrogate pair."""
    return _NOT_STORABLE.search(text) is None


def one_line(text: str, *, most: int = MAX_IN_A_LINE) -> str:
    """The text on one line with single spaces, truncated to this length."""
    line = " ".join("".join(_seen(sign) for sign in text).split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def lines(text: str) -> str:
    """The text with its line breaks, without other invisible characters."""
    return "\n".join("".join(_seen(sign) for sign in line) for line in text.splitlines())


def _seen(sign: str) -> str:
    if sign in _SPACES:
        return " "
    return "" if unicodedata.category(sign) in _HARMFUL else sign
