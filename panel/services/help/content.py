"""Help content: the texts of `content/`, loaded and validated at start.

An invalid text stops the start with one line that names the file and the key. What the running system knows (labels,
meanings, transitions, sums, deadlines) isn't in the files at all.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import frontmatter
import yaml
from markupsafe import Markup
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panel.domain.status import ChargeState, Status, possible_sources
from panel.services.help.markdown import APOSTROPHE, BadProse, Prose, fill_in, read_prose
from panel.services.help.worked_examples import EXAMPLE_QUANTITY

PARTS = (
    "What it means",
    "What you need to do",
    "What comes before and after",
    "Your money",
    "How long it takes",
    "When to contact us",
)
# Sections of a status page, in order, with their anchors.
PART_IDS = dict(zip(PARTS, ("meaning", "act", "before-and-after", "money", "how-long", "contact"), strict=True))
GUIDES = (
    "acceptable-use",
    "accessibility",
    "contact",
    "faq",
    "getting-started",
    "how-we-work",
    "order-statuses",
    "privacy",
    "refund-policy",
    "reliability",
    "terms-of-service",
)

Title = Annotated[str, Field(min_length=10, max_length=65)]
Description = Annotated[str, Field(min_length=50, max_length=170)]


class WrongContent(SystemExit):
    """A text that can't be used. As a SystemExit it ends the start with its one-line message."""


class _Keys(BaseModel):
    """Front matter of a text: exactly these keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    changed: date


class PageKeys(_Keys):
    title: Title
    description: Description
    heading: str


class GuideKeys(PageKeys):
    """Front matter of a guide; `next` is the most useful page to read next."""

    next: str
    next_label: str


class StatusKeys(PageKeys):
    remains: int = Field(ge=0, le=EXAMPLE_QUANTITY)
    related: list[str] = Field(min_length=1)


class QuestionKeys(_Keys):
    question: str = Field(pattern=r"\?$")
    group: str
    position: int
    owner: str
    owner_label: str


Keys = TypeVar("Keys", bound=_Keys)
Keys_co = TypeVar("Keys_co", bound=_Keys, covariant=True)


@dataclass(frozen=True)
class ContentPage(Generic[Keys_co]):
    """A text: its file, front matter and prose."""

    file: str
    keys: Keys_co
    prose: Prose

    def part(self, heading: str) -> Markup:
        """The section under one heading. Raises StopIteration if there is none."""
        return next(part.html for part in self.prose.parts if part.heading == heading)


@dataclass(frozen=True)
class Question:
    """A question of the FAQ. `id` is its anchor on the page."""

    id: str
    page: ContentPage[QuestionKeys]


@dataclass(frozen=True)
class Content:
    """All help texts."""

    statuses: Mapping[Status, ContentPage[StatusKeys]]
    guides: Mapping[str, ContentPage[GuideKeys]]
    questions: tuple[Question, ...]

    @property
    def questions_changed(self) -> date:
        """Date of the last change to the FAQ: the latest of its page and its answers."""
        return max(self.guides["faq"].keys.changed, *(each.page.keys.changed for each in self.questions))

    def check_links(self, leads_somewhere: Callable[[str], bool]) -> None:
        """Raises WrongContent for the first internal link that is broken."""
        for file, address in self._links():
            path, _, anchor = address.partition("#")
            known = self._anchors(path)
            if not leads_somewhere(path) or (anchor and anchor not in known):
                raise WrongContent(f"Wrong content {file}: the link {address} leads nowhere.")

    def linked_sections(self, path: str) -> set[str]:
        """Anchors of the sections on this page that help pages link to."""
        parts = (address.partition("#") for _file, address in self._links())
        return {anchor for page, _, anchor in parts if page == path and anchor}

    def _links(self) -> list[tuple[str, str]]:
        pages: list[ContentPage[StatusKeys] | ContentPage[GuideKeys]] = [*self.statuses.values(), *self.guides.values()]
        found = [(page.file, address) for page in pages for address in page.prose.links]
        for page in self.statuses.values():
            found += [(page.file, address) for address in page.keys.related]
        found += [(guide.file, guide.keys.next) for guide in self.guides.values()]
        for each in self.questions:
            found += [(each.page.file, address) for address in (each.page.keys.owner, *each.page.prose.links)]
        return found

    def _anchors(self, path: str) -> set[str]:
        if path == "/faq":
            return {each.id for each in self.questions}
        if path in self._status_addresses:
            return set(PART_IDS.values())
        guide = self.guides.get(path.removeprefix("/"))
        return {part.id for part in guide.prose.parts} if guide else set()

    @property
    def _status_addresses(self) -> set[str]:
        return {f"/order-statuses/{status.slug}" for status in self.statuses}

    def label_of(self, address: str) -> str:
        """Label of a link to a help page or question. Raises KeyError for other links."""
        return self._labels[address]

    @cached_property
    def _labels(self) -> dict[str, str]:
        labels = {f"/{name}": page.keys.heading for name, page in self.guides.items()}
        labels |= {f"/order-statuses/{status.slug}": page.keys.heading for status, page in self.statuses.items()}
        labels |= {
            f"/{name}#{part.id}": f"{page.keys.heading}: {part.title}"
            for name, page in self.guides.items()
            for part in page.prose.parts
        }
        return labels | {f"/faq#{each.id}": each.page.keys.question for each in self.questions}


def load(folder: Path, *, facts: Mapping[str, str]) -> Content:
    """Load all texts of the folder. Raises WrongContent with one line for the first that breaks a rule."""
    statuses = _read_folder(folder / "statuses", StatusKeys, facts=facts, expected=tuple(Status))
    guides = _read_folder(folder / "guides", GuideKeys, facts=facts, expected=GUIDES)
    questions = _read_folder(folder / "faq", QuestionKeys, facts=facts)
    content = Content(
        statuses={status: statuses[status] for status in Status},
        guides=guides,
        questions=tuple(
            Question(id=name, page=page)
            for name, page in sorted(questions.items(), key=lambda item: item[1].keys.position)
        ),
    )
    for status, page in content.statuses.items():
        _check_status_page(status, page, content=content)
    return content


def read_page(path: Path, *, facts: Mapping[str, str]) -> ContentPage[PageKeys]:
    """Load one standalone text. Raises WrongContent."""
    return _read_page(path, PageKeys, facts=facts)


def _read_folder(
    folder: Path, keys: type[Keys], *, facts: Mapping[str, str], expected: Collection[str] | None = None
) -> dict[str, ContentPage[Keys]]:
    pages = {path.stem: _read_page(path, keys, facts=facts) for path in sorted(folder.glob("*"))}
    if not pages:
        raise WrongContent(f"Wrong content {_name(folder)}: there is no text in this folder.")
    for name, page in pages.items():
        if expected is not None and name not in expected:
            raise WrongContent(f"Wrong content {page.file}: nothing in the panel is called {name!r}.")
    for name in expected or ():
        if name not in pages:
            raise WrongContent(f"Wrong content {_name(folder)}/{name}.md: the file is missing.")
    return pages


def _read_page(path: Path, keys: type[Keys], *, facts: Mapping[str, str]) -> ContentPage[Keys]:
    file = _name(path)
    if path.suffix != ".md":
        raise WrongContent(f"Wrong content {file}: only .md files belong here.")
    try:
        text = frontmatter.loads(path.read_text(encoding="utf-8"))
        prose = read_prose(text.content, facts=facts)
        return ContentPage(file=file, keys=keys.model_validate(_filled(text.metadata, facts=facts)), prose=prose)
    except ValidationError as error:
        first = error.errors()[0]
        what = {"missing": "is missing", "extra_forbidden": "is not known"}.get(first["type"], f": {first['msg']}")
        key = ".".join(str(step) for step in first["loc"])
        raise WrongContent(f"Wrong content {file}: key {key!r} {what}.".replace(" : ", ": ")) from error
    except (yaml.YAMLError, TypeError) as error:
        line = " ".join(str(error).split())
        raise WrongContent(f"Wrong content {file}: the front matter cannot be read: {line}") from error
    except (BadProse, UnicodeDecodeError) as error:
        raise WrongContent(f"Wrong content {file}: {error}.") from error


def _filled(metadata: Mapping[str, Any], *, facts: Mapping[str, str]) -> dict[str, Any]:
    """The front matter with facts filled into its texts, and their apostrophes typographic as in the prose."""
    return {
        key: APOSTROPHE.sub("’", fill_in(value, facts=facts)) if isinstance(value, str) else value
        for key, value in metadata.items()
    }


def _check_status_page(status: Status, page: ContentPage[StatusKeys], *, content: Content) -> None:
    if not page.prose.plain_intro:
        raise WrongContent(f"Wrong content {page.file}: the text must begin with a sentence that says what it means.")
    headings = tuple(part.heading for part in page.prose.parts)
    if headings != PARTS:
        raise WrongContent(f"Wrong content {page.file}: the parts must be, in this order: {', '.join(PARTS)}.")
    least, most = _REMAINS[status.facts.money]
    if not least <= page.keys.remains <= most:
        raise WrongContent(f"Wrong content {page.file}: key 'remains': a {status.label} order cannot have this many.")
    neighbours = {f"/order-statuses/{other.slug}" for other in (*possible_sources(status), *status.facts.next)}
    for address in page.prose.parts[PARTS.index("What comes before and after")].links:
        if address.startswith("/order-statuses/") and address not in neighbours:
            raise WrongContent(f"Wrong content {page.file}: no order goes between {status.label} and {address}.")
    for address in page.keys.related:
        try:
            content.label_of(address)
        except LookupError as error:
            raise WrongContent(f"Wrong content {page.file}: key 'related': {address} is no help page.") from error


# How much of the example order can remain undelivered, by where its money is.
_REMAINS = {
    ChargeState.HELD: (0, EXAMPLE_QUANTITY),
    ChargeState.KEPT: (0, 0),
    ChargeState.SPLIT: (1, EXAMPLE_QUANTITY - 1),
    ChargeState.RETURNED: (EXAMPLE_QUANTITY, EXAMPLE_QUANTITY),
}


def _name(path: Path) -> str:
    """The file's name in error messages: `content/statuses/partial.md`."""
    return "/".join(path.parts[-3 if path.suffix else -2 :])
