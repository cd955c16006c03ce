"""CSS bundles: which files of `static/` make each stylesheet, in layer order, minified.

A page links `site.css`, and beside it only what it needs, so that what a visitor loads stays small.
"""

import re
from functools import lru_cache
from pathlib import Path

from lightningcss import process_stylesheet

from panel.assets.colors import as_hex, tokens

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
    "lifecycle.css": ("css/contents", "css/lifecycle"),
    "status.css": ("css/contents", "css/facts", "css/lifecycle"),
    "home.css": ("css/home",),
    "api.css": ("css/contents", "css/facts", "css/api"),
    "guide.css": ("css/sides", "css/contents", "css/facts", "css/guide"),
    # For visitors' pages with a form of more than one field.
    "forms.css": ("css/forms",),
    "tools.css": ("css/amounts", "css/forms", "css/tools"),
    # On every page of a logged-in user.
    "members.css": (
        "css/amounts",
        "css/sides",
        "css/facts",
        "css/forms",
        "css/member_forms",
        "css/timeline",
        "css/members",
        "css/account",
        "css/live",
        "css/views",
        "css/orders",
        "css/order",
        "css/ordering",
        "css/tools",
        "css/tickets",
    ),
    # Beside site.css, for visitors of an order's public link.
    "public_order.css": ("css/amounts", "css/facts", "css/timeline", "css/live", "css/order"),
    "platform.css": ("css/platform",),
    # Instead of platform.css for one incident or component, and for figures.
    "platform_details.css": ("css/timeline", "css/facts", "css/charts", "css/platform"),
    # Instead of members.css on the office's pages.
    "office.css": (
        "css/amounts",
        "css/sides",
        "css/facts",
        "css/forms",
        "css/member_forms",
        "css/timeline",
        "css/members",
        "css/live",
        "css/views",
        "css/tickets",
        "css/office",
    ),
}


class InvalidStylesheet(SystemExit):
    """CSS that can't be parsed. As a SystemExit it ends the start with its one line, which names the file."""


def sheets(static: Path) -> dict[str, bytes]:
    """Every stylesheet by its name, joined and minified. Raises InvalidStylesheet."""
    return {
        name: "".join(_minified(static / f"{part}.css") for part in parts).encode() for name, parts in SHEETS.items()
    }


def _minified(path: Path) -> str:
    try:
        return minify(path.read_text())
    except ValueError as error:
        raise InvalidStylesheet(f"Wrong stylesheet {path.name}: {error}") from error


def minify(css: str) -> str:
    """The same rules in fewer characters, by a parser that knows nested rules. Raises ValueError for invalid CSS."""
    minified: str = process_stylesheet(css, minify=True)
    return minified


# Name of the stored accent colors, and of the query that asks for the stylesheet with them.
ACCENT = "accent"
_ACCENT = re.compile(r"([0-9a-f]{6})?-([0-9a-f]{6})?", re.ASCII)
_ACCENT_TOKENS = ("act", "link")


@lru_cache(16)
def with_accent(content: bytes, accent: str) -> bytes | None:
    """The stylesheet with other accent colors, such as `0a5c36-7fd1a8` for both schemes; None if they are none.

    Made from the address alone, so that each process has it, and a page in a cache finds the colors it was made with.
    """
    found = _ACCENT.fullmatch(accent)
    if found is None:
        return None
    schemes = [
        {name: f"#{given}" if given else as_hex(own[name]) for name in _ACCENT_TOKENS}
        for own, given in zip(tokens(), found.groups(), strict=True)
    ]
    rules = "".join(f"--{name}:light-dark({schemes[0][name]},{schemes[1][name]});" for name in _ACCENT_TOKENS)
    return content + b"@layer tokens{:root{" + rules.encode() + b"}}"
