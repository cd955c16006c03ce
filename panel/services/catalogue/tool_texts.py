"""Additional texts of tools from `content/tools/`, validated at startup.

A tool needs no text, and a text without its tool is not shown. A file is called as the tool's slug; under a
front matter with the day of its last change it has an introduction and any of the known parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

import frontmatter
import yaml
from markupsafe import Markup

from panel.services.help.content import WrongContent
from panel.services.help.markdown import BadProse, Prose, read_prose

RUNS = "How it runs"
FAILS = "What makes it fail"
DROP = "What counts as a drop"
PARTS = (RUNS, FAILS, DROP)


@dataclass(frozen=True)
class ToolText:
    """The text of one tool."""

    changed_at: datetime
    prose: Prose

    @property
    def runs(self) -> Markup | None:
        return self._part(RUNS)

    @property
    def fails(self) -> Markup | None:
        return self._part(FAILS)

    @property
    def drop(self) -> Markup | None:
        return self._part(DROP)

    def _part(self, heading: str) -> Markup | None:
        return next((part.html for part in self.prose.parts if part.heading == heading), None)


def load(folder: Path) -> Mapping[str, ToolText]:
    """The texts by slug. Raises WrongContent with one line for the first that breaks a rule."""
    return {path.stem: _read(path) for path in sorted(folder.glob("*.md"))}


def _read(path: Path) -> ToolText:
    file = "/".join(path.parts[-3:])
    try:
        text = frontmatter.loads(path.read_text(encoding="utf-8"))
        prose = read_prose(text.content, facts={})
    except (yaml.YAMLError, BadProse, UnicodeDecodeError) as error:
        raise WrongContent(f"Wrong content {file}: {' '.join(str(error).split())}.") from error
    for key in text.metadata:
        if key != "changed":
            raise WrongContent(f"Wrong content {file}: key {key!r} is not known.")
    changed = text.metadata.get("changed")
    if type(changed) is not date:
        raise WrongContent(f"Wrong content {file}: key 'changed' must be a day such as 2026-11-20.")
    for part in prose.parts:
        if part.heading not in PARTS:
            raise WrongContent(f"Wrong content {file}: there is no part called {part.heading!r}.")
    return ToolText(changed_at=datetime.combine(changed, time.min, UTC), prose=prose)
