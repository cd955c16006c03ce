"""Settings in force: those of the start, with the stored ones on top, as the database has them now.

Every process reads the table at most once a second, without the session, and before it renders for another version of
the catalogue, which each change bumps. So a page that is cached under a version never has older settings.
"""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import structlog
from sqlalchemy import Text, literal_column, select, true, type_coerce

from panel import app_context
from panel.db import db, table_of
from panel.db.read_only import Reader, reader
from panel.models import Catalogue, StoredSetting
from panel.security import encryption
from panel.security.encryption import DecryptionFailed
from panel.services.stored_settings.registry import SETTINGS
from panel.settings import Settings

MAX_AGE_SECONDS = 1.0

_CATALOGUE, _SETTINGS = table_of(Catalogue), table_of(StoredSetting)
READ = (
    select(
        _CATALOGUE.c.version,
        _SETTINGS.c.name,
        _SETTINGS.c.value,
        # As the driver gives it, since readers convert nothing.
        type_coerce(_SETTINGS.c.changed_at, Text),
    )
    .select_from(_CATALOGUE.outerjoin(_SETTINGS, true()))
    .where(_CATALOGUE.c.id == literal_column("1"))
)

log = structlog.get_logger()


class LiveSettings:
    """The stored settings as this process last read them, and the settings in force that result."""

    def __init__(self, read: Reader, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._reading = threading.Lock()
        self._read_at = clock() - MAX_AGE_SECONDS
        self._version = -1
        self._stored: Mapping[str, str] = {}
        self._days: Mapping[str, date] = {}
        self._merged: tuple[Settings, Mapping[str, str], Settings] | None = None

    def over(self, start: Settings) -> Settings:
        """The settings in force, at most a second old."""
        self._refresh_when_old()
        stored = self._stored
        if not stored:
            return start
        merged = self._merged
        if merged is None or merged[0] is not start or merged[1] is not stored:
            merged = self._merged = (start, stored, merge(start, stored))
        return merged[2]

    def text(self, name: str) -> tuple[str, date] | None:
        """A text from the office and the day of its last change; None where the file holds."""
        self._refresh_when_old()
        stored, days = self._stored, self._days
        return (stored[name], days[name]) if name in stored and name in days else None

    def _refresh_when_old(self) -> None:
        """One thread reads; the others go on with what there is."""
        if self._clock() >= self._read_at + MAX_AGE_SECONDS and self._reading.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._reading.release()

    def follow(self, catalogue_version: int) -> None:
        """Read again unless the settings were read at this version, which the caller has just read."""
        if catalogue_version == self._version:
            self._read_at = self._clock()
            return
        with self._reading:
            if catalogue_version != self._version:
                self._refresh()

    def _refresh(self) -> None:
        rows = self._read({})
        # Also when it failed: the last values hold, and the next second tries again.
        self._read_at = self._clock()
        if not rows:
            return
        stored = {name: value for _version, name, value, _at in rows if name is not None}
        self._days = {name: _day_of(at) for _version, name, _value, at in rows if name is not None}
        if stored != self._stored:
            self._stored = stored
        self._version = rows[0][0]


def _day_of(at: object) -> date:
    """The UTC day of a time as the driver gives it: SQLite's is text."""
    return at.astimezone(UTC).date() if isinstance(at, datetime) else date.fromisoformat(str(at)[:10])


def start() -> None:
    """Let `app_context.settings()` follow the database from now on."""
    app_context.once_per_app(app_context.LIVE_SETTINGS, lambda: LiveSettings(reader(db.engine, READ, is_rare=True)))


def follow(catalogue_version: int) -> None:
    """Follow the version that this request has read."""
    app_context.live_settings().follow(catalogue_version)


def is_from_environment(name: str, *, start: Settings) -> bool:
    """Whether the environment sets it. Empty means that it doesn't."""
    return name in start.model_fields_set and getattr(start, name) != ""


def merge(start: Settings, stored: Mapping[str, str]) -> Settings:
    """The settings with these stored values, where the environment doesn't win. An unreadable value is left out."""
    values: dict[str, Any] = {}
    for name, text in stored.items():
        setting = SETTINGS.get(name)
        if setting is None or is_from_environment(name, start=start):
            continue
        try:
            plain = encryption.decrypt(text, settings=start) if setting.is_secret else text
            values[name] = setting.read(plain)
        except (ValueError, DecryptionFailed):
            log.warning("stored setting unreadable", setting=name)
    return start.model_copy(update=values)
