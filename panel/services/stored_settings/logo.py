"""Logo of the site, uploaded in the office: re-encoded at the size of the header, and kept among the settings as text.

So every process has it in memory with the other settings, and a backup takes it along.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import select

from panel import app_context
from panel.db import db
from panel.domain.errors import BadInput, StaleForm
from panel.models import StoredSetting
from panel.services import uploaded_images
from panel.services.stored_settings import changes
from panel.services.uploaded_images import ImageRules, Upload

LOGO = "logo"
FIELD = "logo"
RULES = ImageRules(("PNG", "JPEG", "WEBP"), max_bytes=512 * 1024, max_side=2048, max_stored_bytes=8 * 1024)
# Twice the size in the header, for fine screens.
MAX_WIDTH, MAX_HEIGHT = 400, 80
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True, slots=True)
class Logo:
    """The logo's file; width and height as it is shown, in CSS pixels."""

    content: bytes
    media_type: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:16]

    @property
    def path(self) -> str:
        """Its address, which changes with its content."""
        return f"/logo/{self.digest}.{_SUFFIXES[self.media_type]}"

    @property
    def data_url(self) -> str:
        return f"data:{self.media_type};base64,{base64.b64encode(self.content).decode()}"

    @property
    def stored(self) -> str:
        size = f"{self.width} {self.height} {self.digest}"
        return f"{self.media_type} {size} {base64.b64encode(self.content).decode()}"


def prepare(upload: Upload) -> Logo:
    """Preview of the upload in the header; stores nothing. Raises BadInput or TooManyTries."""
    picture = uploaded_images.read(upload, rules=RULES, field=FIELD)
    if picture.mode == "RGBA" and (visible := picture.getchannel("A").getbbox()) is not None:
        # A clear margin would only make the logo smaller.
        picture = picture.crop(visible)
    image = uploaded_images.encode(picture, max_size=(MAX_WIDTH, MAX_HEIGHT), max_bytes=RULES.max_stored_bytes)
    # Shown at half of its pixels if it has enough of them.
    most_width, most_height = MAX_WIDTH // 2, MAX_HEIGHT // 2
    if image.height * most_width > image.width * most_height:
        height = min(image.height, most_height)
        return Logo(image.content, image.media_type, max(1, image.width * height // image.height), height)
    width = min(image.width, most_width)
    return Logo(image.content, image.media_type, width, max(1, image.height * width // image.width))


def previewed(text: str) -> Logo:
    """The logo that a form showed before it is saved, checked like an upload. Raises BadInput."""
    try:
        content = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise BadInput("Choose the file again.", field=FIELD) from None
    return prepare(Upload("", content))


def save(logo: Logo, *, seen: str, actor: str, now: datetime) -> bool:
    """Make this the site's logo. False if it is already. Raises StaleForm."""
    changes.lock()
    before = _check_seen(seen)
    if before == logo:
        return False
    detail = f"A logo of {logo.width} × {logo.height} pixels, {logo.digest}."
    changes.store(LOGO, logo.stored, detail=detail, actor=actor, now=now)
    return True


def remove(*, seen: str, actor: str, now: datetime) -> bool:
    """Show the site's name alone again. False if there is no logo. Raises StaleForm."""
    changes.lock()
    before = _check_seen(seen)
    if before is None:
        return False
    changes.store(LOGO, None, detail=f"Removed the logo {before.digest}.", actor=actor, now=now)
    return True


def find() -> Logo | None:
    """The logo as the database has it now."""
    stored = db.session.scalar(select(StoredSetting.value).where(StoredSetting.name == LOGO))
    return None if stored is None else _read(stored)


def current() -> Logo | None:
    """The logo in force, from memory."""
    stored = app_context.live_settings().text(LOGO)
    return None if stored is None else _read(stored[0])


def by_path(path: str) -> Logo | None:
    """The logo at this address. Another process may have a new one some moments earlier, so the database decides."""
    logo = current()
    if logo is None or logo.path != path:
        logo = find()
    return logo if logo is not None and logo.path == path else None


def form_version(logo: Logo | None) -> str:
    """Version of the stored value for a form: saving is refused when it has changed since the form was opened."""
    return "" if logo is None else logo.digest


def _check_seen(seen: str) -> Logo | None:
    before = find()
    if form_version(before) != seen:
        raise StaleForm(changes.CHANGED_MEANWHILE)
    return before


@lru_cache(4)
def _read(stored: str) -> Logo | None:
    try:
        media_type, width, height, _digest, content = stored.split(" ")
        return Logo(base64.b64decode(content), media_type, int(width), int(height))
    except ValueError:
        return None
