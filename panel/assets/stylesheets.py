"""CSS bundles: which files of `static/` make each stylesheet, in layer order, minified.

A page links `site.css`, and beside it only what it needs, so that what a visitor loads stays small.
"""

from pathlib import Path

from lightningcss import process_stylesheet

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
    # On every page of a logged-in user.
    "members.css": (
        "css/sides",
        "css/facts",
        "css/forms",
        "css/timeline",
        "css/members",
        "css/live",
        "css/views",
        "css/orders",
        "css/order",
        "css/ordering",
        "css/tickets",
    ),
    # Beside site.css, for visitors of an order's public link.
    "public_order.css": ("css/facts", "css/timeline", "css/live", "css/order"),
    "platform.css": ("css/platform",),
    # Instead of platform.css for one incident or component, and for figures.
    "platform_details.css": ("css/timeline", "css/facts", "css/charts", "css/platform"),
    # Instead of members.css on the office's pages.
    "office.css": (
        "css/sides",
        "css/facts",
        "css/forms",
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
