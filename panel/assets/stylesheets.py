"""CSS bundles: which files of `static/` make each stylesheet, in layer order, minified.

A page links `site.css`, and beside it only what it needs, so that what a visitor loads stays small.
"""

import re
from pathlib import Path

# Paths below `static/`, without `.css`.
SHEETS = {
    "site.css": (
        "css/layers",
        "css/reset",
        "css/tokens",
        "css/base",
        "css/layout",
        "css/components",
        "css/utilities",
    ),
    "lifecycle.css": ("css/lifecycle",),
    "guide.css": ("css/sides", "css/guide"),
    # For visitors' pages with a form of more than one field.
    "forms.css": ("css/forms",),
    # On every page that someone signed in is shown.
    "members.css": ("css/sides", "css/forms", "css/timeline", "css/members", "css/tickets"),
    "platform.css": ("css/timeline", "css/platform"),
    "office.css": ("css/office",),
}

_STRING = re.compile(r"""("[^"\n]*"|'[^'\n]*')""")
_STRING_OR_COMMENT = re.compile(rf"{_STRING.pattern}|/\*.*?\*/", re.DOTALL)
_SPACES = re.compile(r"\s+")
# The space after a property's colon: a selector has none there.
_AFTER_COLON = re.compile(r"(?<=:) ")
_NEEDLESS_ZERO = re.compile(r"(?<=[\s(,:])0(?=\.\d)")
_AROUND_MARKS = re.compile(r" ?([{};,]) ?")


def sheets(static: Path) -> dict[str, bytes]:
    """Every stylesheet by its name, joined and without what only people read."""
    return {
        name: "".join(minified((static / f"{part}.css").read_text()) for part in parts).encode()
        for name, parts in SHEETS.items()
    }


def minified(css: str) -> str:
    """The same rules without comments and needless spaces. What stands in quotes stays as it is."""
    without_comments = _STRING_OR_COMMENT.sub(lambda found: found[1] or " ", css)
    pieces = _STRING.split(without_comments)
    # Every second piece is a string.
    return "".join(piece if index % 2 else _squeezed(piece) for index, piece in enumerate(pieces)).strip()


def _squeezed(piece: str) -> str:
    piece = _SPACES.sub(" ", piece)
    for needless in (_AFTER_COLON, _NEEDLESS_ZERO):
        piece = needless.sub("", piece)
    return _AROUND_MARKS.sub(r"\1", piece).replace(";}", "}")
