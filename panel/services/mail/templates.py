"""Mail templates: plain texts in `templates/mails`, whose first line is the subject.

Every inserted value is reduced to one plain line, so that user input can't add or hide lines.
"""

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment

from panel import app_context
from panel.domain import plain_text
from panel.models import MailKind

EXTENSION = "panel.letters"
MAX_VALUE_LENGTH = 500
FOOT = "\n-- \n"
_SUBJECT = "Subject: "


@dataclass(frozen=True)
class MailText:
    """Subject and text of a mail of one kind."""

    kind: MailKind
    subject: str
    text: str

    @property
    def as_message(self) -> str:
        """The text of a chat message: without the foot, which is about emails."""
        return f"{self.subject}\n\n{self.text.partition(FOOT)[0].strip()}"


def write(kind: MailKind, **facts: Any) -> MailText:
    """Render the mail template of this kind."""
    rendered = _environment().get_template(f"mails/{kind}.txt").render(**facts)
    first, _, rest = rendered.lstrip().partition("\n")
    if not first.startswith(_SUBJECT):
        raise ValueError(f"mails/{kind}.txt does not begin with its subject")
    return MailText(kind, first.removeprefix(_SUBJECT), f"{rest.strip()}\n")


def _environment() -> Environment:
    """The site's Jinja environment for plain text."""
    return app_context.once_per_app(EXTENSION, _make_environment)


def _make_environment() -> Environment:
    site = app_context.jinja_env()
    plain = site.overlay(autoescape=False, finalize=_on_one_line, keep_trailing_newline=True)
    plain.globals = {**site.globals, "site_url": app_context.settings().public_url}
    return plain


def _on_one_line(value: Any) -> str:
    return plain_text.one_line(str(value), most=MAX_VALUE_LENGTH)
