"""Markdown renderer for `content/`. HTML is escaped, and only internal links are allowed."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup
from mdit_py_plugins.anchors import anchors_plugin

_FACT = re.compile(r"\{\{ ?([a-z_]+) ?\}\}")


class BadProse(Exception):
    """Text that can't be rendered; the message says why."""


@dataclass(frozen=True)
class Part:
    """A section of a text: heading, its id, content, and the URLs it links to."""

    heading: str
    id: str
    html: Markup
    plain: str
    links: tuple[str, ...]

    @property
    def title(self) -> str:
        """The heading without its step number."""
        return self.heading.lstrip("0123456789. ")


@dataclass(frozen=True)
class Prose:
    """A whole text: the introduction, the sections, and all URLs it links to."""

    intro: Markup
    plain_intro: str
    parts: tuple[Part, ...]
    links: tuple[str, ...]

    @property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """Table of contents: id and text of each heading, for `components/on_this_page.html`."""
        return tuple((part.id, part.heading) for part in self.parts)

    @property
    def first_sentence(self) -> str:
        return self.plain_intro.partition(". ")[0].removesuffix(".") + "."


def _slug(heading: str) -> str:
    """An id that starts with a letter, without the step number."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub("['’]", "", heading.lower())).strip("-0123456789")


# The plugin's own annotation names a wider parameter than we pass.
_make_anchors: Callable[..., None] = anchors_plugin
# In front matter, which is plain text.
APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
# Straight quotes and apostrophes of a text become typographic ones; code keeps its own.
_markdown = MarkdownIt("commonmark", {"html": False, "typographer": True}).enable("smartquotes")
_make_anchors(_markdown, min_level=2, max_level=3, slug_func=_slug)


def _render_code(renderer: RendererHTML, tokens: Sequence[Token], at: int, _options: object, _env: object) -> str:
    """Render a code block that is keyboard-focusable, since its long lines scroll."""
    code = escapeHtml(tokens[at].content)
    return f'<pre tabindex="0"><code>{code}</code></pre>\n'


_markdown.add_render_rule("fence", _render_code)


def read_prose(text: str, *, facts: Mapping[str, str]) -> Prose:
    """Render a text, with `{{ name }}` filled in from the facts. Raises BadProse."""
    tokens = _markdown.parse(fill_in(text, facts=facts))
    starts = [at for at, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    ends = [*starts[1:], len(tokens)][: len(starts)]
    intro = tokens[: starts[0]] if starts else tokens
    return Prose(
        intro=_render(intro),
        plain_intro=_plain(intro),
        parts=tuple(_part(tokens[start:end]) for start, end in zip(starts, ends, strict=True)),
        links=_links(tokens),
    )


def fill_in(text: str, *, facts: Mapping[str, str]) -> str:
    """Replace each `{{ name }}` with its fact. Raises BadProse for an unknown name."""

    def fact(match: re.Match[str]) -> str:
        if match[1] not in facts:
            raise BadProse(f"unknown fact {match[1]!r}")
        return facts[match[1]]

    return _FACT.sub(fact, text)


def _part(tokens: list[Token]) -> Part:
    return Part(
        heading=_plain(tokens[1:2]),
        id=str(tokens[0].attrGet("id")),
        html=_render(tokens[3:]),
        plain=_plain(tokens[3:]),
        links=_links(tokens),
    )


def _render(tokens: list[Token]) -> Markup:
    # Safe to mark: the parser has no raw HTML and escapes all text.
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))  # noqa: S704


def _plain(tokens: list[Token]) -> str:
    inside = (token for block in tokens if block.type == "inline" for token in [*(block.children or []), None])
    words = (" " if token is None or token.type == "softbreak" else token.content for token in inside)
    return " ".join("".join(words).split())


def _links(tokens: list[Token]) -> tuple[str, ...]:
    found = []
    for token in (child for block in tokens for child in block.children or []):
        if token.type == "image":
            raise BadProse("an image; texts have none")
        if token.type == "link_open":
            address = str(token.attrGet("href"))
            if not address.startswith("/") or address.startswith("//"):
                raise BadProse(f"the link {address} leaves the site")
            found.append(address)
    return tuple(found)
