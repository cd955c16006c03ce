"""Guides that operators wrote in the office: checked when they are saved, and shown instead of those of `content/`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import frontmatter
import structlog

from panel import app_context
from panel.domain.errors import BadInput
from panel.services.help.content import Content, ContentPage, GuideKeys, WrongContent
from panel.services.help.markdown import BadProse, Prose, read_prose
from panel.services.stored_settings.texts import GUIDE_TEXTS, EditableText

log = structlog.get_logger()

# By guide: the text and the day of its last change; None where the file holds.
OwnTexts = tuple[tuple[str, date] | None, ...]


def current() -> OwnTexts:
    """The own texts in force, in the order of GUIDE_TEXTS."""
    live = app_context.live_settings()
    return tuple(live.text(name) for name in GUIDE_TEXTS)


def placed_in(content: Content, own: OwnTexts, *, facts: Mapping[str, str]) -> Content:
    """The content with the own texts in it. One that can't be rendered is left out, and logged."""
    guides = dict(content.guides)
    for name, found in zip(GUIDE_TEXTS, own, strict=True):
        if found is None:
            continue
        try:
            guides[name] = _page(guides[name], read_prose(found[0], facts=facts), changed=found[1])
        except BadProse as error:
            log.warning("own text unreadable", text=name.value, why=str(error))
    return replace(content, guides=guides)


def check(
    name: EditableText,
    text: str,
    *,
    content: Content,
    facts: Mapping[str, str],
    leads_somewhere: Callable[[str], bool],
) -> Prose:
    """Render a typed guide. Raises BadInput, which says what is wrong with it."""
    try:
        prose = read_prose(text, facts=facts)
    except BadProse as error:
        raise BadInput(f"The text can’t be used: {error}.", field="text") from error
    rendered = "".join([prose.intro, *(part.html for part in prose.parts)])
    if "<h1" in rendered:
        raise BadInput("Begin headings with ##. A single # is the page’s own heading.", field="text")
    if not prose.plain_intro:
        raise BadInput("Begin with a sentence, before the first heading.", field="text")
    if any(not part.id or part.id == "None" for part in prose.parts):
        raise BadInput("Each heading needs a word in Latin letters, for its address.", field="text")
    page = content.guides[name]
    placed = replace(content, guides={**content.guides, name: _page(page, prose, changed=page.keys.changed)})
    lost = placed.linked_sections(f"/{name}") - {part.id for part in prose.parts}
    for part in page.prose.parts:
        if part.id in lost:
            raise BadInput(f"Keep the section “{part.heading}”: other help pages link to it.", field="text")
    try:
        placed.check_links(leads_somewhere)
    except WrongContent as error:
        raise BadInput(f"{str(error).removeprefix('Wrong content ')}", field="text") from error
    return prose


def default_text(name: EditableText, *, folder: Path) -> str:
    """The Markdown of the file, without its front matter."""
    return frontmatter.loads((folder / "guides" / f"{name}.md").read_text(encoding="utf-8")).content


def _page(page: ContentPage[GuideKeys], prose: Prose, *, changed: date) -> ContentPage[GuideKeys]:
    return replace(page, prose=prose, keys=page.keys.model_copy(update={"changed": changed}))
