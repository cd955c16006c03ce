"""Operators' regular expressions, matched by RE2 in linear time, so that none can hang a process (ReDoS).

Python's own `re` backtracks: one pattern and 24 letters can keep it busy for minutes. RE2 rejects what it can't match
in linear time (look-around, back-references, end-of-text escapes), and patterns that compile too large.
"""

from functools import lru_cache

import re2

from panel.domain.errors import BadInput

MAX_LENGTH = 500
# Limits the compiled program: the longest link takes at most about 10 ms with any pattern that fits.
_MAX_MEMORY_BYTES = 256 * 1024
_OPTIONS = re2.Options()
_OPTIONS.max_mem = _MAX_MEMORY_BYTES
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False


class BadPattern(BadInput):
    """An unusable pattern; the message says why."""

    code = "bad_pattern"


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches. Raises BadPattern for an unusable pattern."""
    found = fault(pattern)
    if found:
        raise BadPattern(found)
    try:
        return _compiled(pattern).fullmatch(text) is not None
    except UnicodeEncodeError:
        return False


@lru_cache(maxsize=10_000)
def fault(pattern: str) -> str:
    """Why the pattern is unusable, as the end of a sentence; empty if it is usable."""
    if len(pattern) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH} characters"
    try:
        _compiled(pattern)
    except re2.error as error:
        why = error.args[0]
        message = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        return f"can’t be used ({message}). Look-around, back-references and very large repetitions are not supported"
    except UnicodeEncodeError:
        return "has a character that is no text"
    return ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re2._Regexp:
    return re2.compile(pattern, _OPTIONS)
