"""What mails say: the plain texts of `templates/mails`, whose first line is the subject.

Whatever is put into such a text is put in as one plain line: nothing that a stranger named can add a line or hide one.
"""

from dataclasses import dataclass
from typing import Any

from flask import current_app
from jinja2 import Environment

from panel.domain import plain_text
from panel.settings import Settings

EXTENSION = "panel.letters"
MOST_VALUE_LENGTH = 500
_SUBJECT = "Subject: "


@dataclass(frozen=True)
class Text:
    """A mail's words."""

    subject: str
    text: str


def write(name: str, **facts: Any) -> Text:
    """The mail of this name, with these facts."""
    rendered = _environment().get_template(f"mails/{name}.txt").render(**facts)
    first, _, rest = rendered.lstrip().partition("\n")
    if not first.startswith(_SUBJECT):
        raise ValueError(f"mails/{name}.txt does not begin with its subject")
    return Text(first.removeprefix(_SUBJECT), f"{rest.strip()}\n")


def _environment() -> Environment:
    """The site's templates, filters and names, for plain text."""
    found: Environment | None = current_app.extensions.get(EXTENSION)
    if found is None:
        found = current_app.jinja_env.overlay(autoescape=False, finalize=_on_one_line, keep_trailing_newline=True)
        settings: Settings = current_app.config["PANEL"]
        ours = {"site_url": settings.public_url}
        found.globals = {**current_app.jinja_env.globals, **ours}
        current_app.extensions[EXTENSION] = found
    return found


def _on_one_line(value: Any) -> str:
    return plain_text.one_line(str(value), most=MOST_VALUE_LENGTH)
