"""Texts that operators write in the office instead of a file: legal texts and payment instructions.

They are rows of the same table as the settings. Without a row, the file holds.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from panel.db import db
from panel.domain import plain_text
from panel.domain.errors import ActionRefused, BadInput, StaleForm
from panel.models import StoredSetting
from panel.services.stored_settings import changes

MAX_LENGTH = 30_000


class EditableText(StrEnum):
    """A text by its name in the table and in addresses; that of a guide is the guide's own."""

    PAYMENT_INSTRUCTIONS = "payment-instructions"
    TERMS_OF_SERVICE = "terms-of-service"
    REFUND_POLICY = "refund-policy"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def is_guide(self) -> bool:
        """Whether it replaces a guide of `content/`, in Markdown."""
        return self is not EditableText.PAYMENT_INSTRUCTIONS


GUIDE_TEXTS = tuple(text for text in EditableText if text.is_guide)
_LABELS = {
    EditableText.PAYMENT_INSTRUCTIONS: "Payment instructions",
    EditableText.TERMS_OF_SERVICE: "Terms of service",
    EditableText.REFUND_POLICY: "Refund policy",
}


@dataclass(frozen=True, slots=True)
class OwnText:
    """The text from the office: who changed it last, and when."""

    text: str
    changed_by: str
    changed_at: datetime


def find(name: EditableText) -> OwnText | None:
    """The text from the office; None while the file holds."""
    row = db.session.get(StoredSetting, name.value, populate_existing=True)
    return None if row is None else OwnText(row.value, row.changed_by, row.changed_at)


def find_all() -> dict[EditableText, OwnText | None]:
    """Every text as `find` does, in one read."""
    found = db.session.scalars(select(StoredSetting).where(StoredSetting.name.in_([*EditableText])))
    own = {row.name: OwnText(row.value, row.changed_by, row.changed_at) for row in found}
    return {name: own.get(name.value) for name in EditableText}


def form_version(name: EditableText) -> str:
    """Version of the stored value for a form: saving is refused when it has changed since the form was opened."""
    own = find(name)
    return "" if own is None else hashlib.blake2b(own.changed_at.isoformat().encode(), digest_size=8).hexdigest()


def normalized(typed: str) -> str:
    """The typed text with plain line breaks, without invisible characters. Raises BadInput."""
    text = "\n".join(line.rstrip() for line in plain_text.lines(typed).splitlines()).strip()
    if not text:
        raise BadInput("Write the text, or go back to the default below.", field="text")
    if len(text) > MAX_LENGTH:
        raise BadInput(f"Write at most {MAX_LENGTH:,} characters.", field="text")
    return text


def save(name: EditableText, text: str, *, seen: str, actor: str, now: datetime) -> bool:
    """Save a checked text. False if it is the present one. Raises StaleForm. The audit log keeps every version."""
    changes.lock()
    if form_version(name) != seen:
        raise StaleForm(changes.CHANGED_MEANWHILE)
    own = find(name)
    if own is not None and own.text == text:
        return False
    changes.store(name, text, detail=text, actor=actor, now=now)
    return True


def restore_default(name: EditableText, *, actor: str, now: datetime) -> None:
    """Go back to the text of the file. Raises ActionRefused when it holds already."""
    changes.lock()
    if find(name) is None:
        raise ActionRefused("The default text is in use already.")
    changes.store(name, None, detail="Back to the default text.", actor=actor, now=now)
