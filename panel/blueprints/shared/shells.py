"""Shell: a template rendered once with marks in the places of texts, which are then filled in without Jinja.

For what is rendered very often and differs in a few texts alone, such as the rows of a list. The code that fills
them in escapes the texts.
"""

import secrets
from collections.abc import Mapping, Sequence

from jinja2 import Template
from markupsafe import Markup

# In a rendered template these stand around the name of a text. Random, so no text of a user can contain one.
_MARK = secrets.token_hex(8)


class Shell:
    """Pieces of a rendered template, and the names of the texts between them."""

    def __init__(self, html: str) -> None:
        pieces = html.split(_MARK)
        self._pieces, self._names = pieces, pieces[1::2]

    def filled(self, texts: Mapping[str, str]) -> Markup:
        """The template's text. `texts` are HTML: escaped, or without anything to escape."""
        pieces = self._pieces.copy()
        pieces[1::2] = map(texts.__getitem__, self._names)
        return Markup("".join(pieces))  # noqa: S704  (rendered by its template; the texts are HTML)


def places(names: Sequence[str]) -> dict[str, Markup]:
    """Placeholders that a template prints instead of these texts, for `Shell` to find."""
    return {name: Markup(f"{_MARK}{name}{_MARK}") for name in names}  # noqa: S704


def shell_of(template: Template, names: Sequence[str], **context: object) -> Shell:
    """The template's shell; it prints the texts as `part.NAME`."""
    return Shell(template.render(part=places(names), **context).strip())
