"""Change stored settings: one form is saved as a whole or not at all, is in the audit log, and needs no restart."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update

from panel import app_context
from panel.db import db, lock_rows, table_of, upsert
from panel.domain.errors import StaleForm
from panel.models import Catalogue, StoredSetting
from panel.security import encryption
from panel.services import audit_log
from panel.services.stored_settings import live, registry
from panel.services.stored_settings.registry import EditableSetting, SettingGroup, as_text

CHANGED_MEANWHILE = "Somebody changed these settings after you opened this page. Nothing was saved. Check them again."

_TABLE = table_of(StoredSetting)


class SettingSource(StrEnum):
    """Where a value comes from. The environment wins."""

    ENVIRONMENT = "environment"
    OFFICE = "office"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A setting with its value in force, where that comes from, and who changed it last in the office."""

    setting: EditableSetting
    source: SettingSource
    value: Any
    changed_by: str
    changed_at: datetime | None

    @property
    def is_fixed(self) -> bool:
        return self.source is SettingSource.ENVIRONMENT

    @property
    def text(self) -> str:
        """The value as its form field shows it: never a secret."""
        return "" if self.setting.is_secret else as_text(self.value)

    @property
    def shown(self) -> str:
        """The value as a page shows it; empty if there is none."""
        return self.setting.shown(self.value)

    @property
    def hint(self) -> str:
        default = "" if self.setting.choices else as_text(self.setting.default)
        return f"{self.setting.hint} Leave it empty for the default, {default}." if default else self.setting.hint


def rows(group: SettingGroup) -> list[SettingRow]:
    """The settings of a group as the database has them now."""
    return _rows(group, _stored(group))


def rows_of_all() -> dict[SettingGroup, list[SettingRow]]:
    """The settings of all groups, in one read."""
    stored = {
        row.name: row
        for row in db.session.scalars(select(StoredSetting).where(StoredSetting.name.in_(registry.SETTINGS)))
    }
    return {group: _rows(group, stored) for group in SettingGroup}


def _rows(group: SettingGroup, stored: Mapping[str, StoredSetting]) -> list[SettingRow]:
    start = app_context.start_settings()
    merged = live.merge(start, {name: row.value for name, row in stored.items()})
    return [_row(setting, stored.get(setting.name), start=start, merged=merged) for setting in registry.of_group(group)]


def form_version(group: SettingGroup) -> str:
    """Version of the stored value for a form: saving is refused when it has changed since the form was opened."""
    lines = sorted(f"{row.name} {row.changed_at.isoformat()}" for row in _stored(group).values())
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def change(group: SettingGroup, typed: Mapping[str, str], *, seen: str, actor: str, now: datetime) -> list[str]:
    """Save the typed values; an empty one returns to the default. Returns the labels of what changed.

    What the environment sets is left alone. Raises BadInput for a field, or StaleForm.
    """
    lock()
    if form_version(group) != seen:
        raise StaleForm(CHANGED_MEANWHILE)
    changed = []
    for row in rows(group):
        if row.is_fixed:
            continue
        name, before = row.setting.name, row.value
        text = typed.get(name, "").strip()
        after = row.setting.parse(text) if text else row.setting.default
        if after == before:
            continue
        value = None if after == row.setting.default else _stored_form(row.setting, after)
        store(name, value, detail=_change(row.setting.shown(before), row.setting.shown(after)), actor=actor, now=now)
        changed.append(row.setting.label)
    return changed


def lock() -> None:
    """Two forms that are saved at the same time wait for each other here."""
    db.session.execute(lock_rows(select(Catalogue.version)))


def store(
    name: str, value: str | None, *, action: str = "settings change", detail: str, actor: str, now: datetime
) -> None:
    """Store a checked value, or None for the default, with its line in the audit log."""
    if value is None:
        db.session.execute(delete(StoredSetting).where(StoredSetting.name == name))
    else:
        values = {"value": value, "changed_by": actor, "changed_at": now}
        statement = upsert(_TABLE).values(name=name, **values)
        db.session.execute(statement.on_conflict_do_update(index_elements=[_TABLE.c.name], set_=values))
    audit_log.write(action, actor=actor, subject=f"setting {name}", detail=detail, now=now)
    # Pages are cached under this version, and every process reads it with each request.
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    db.session.expire_all()


def _stored(group: SettingGroup) -> dict[str, StoredSetting]:
    names = [setting.name for setting in registry.of_group(group)]
    found = db.session.scalars(select(StoredSetting).where(StoredSetting.name.in_(names)))
    return {row.name: row for row in found}


def _row(setting: EditableSetting, stored: StoredSetting | None, *, start: Any, merged: Any) -> SettingRow:
    if live.is_from_environment(setting.name, start=start):
        source = SettingSource.ENVIRONMENT
    else:
        source = SettingSource.DEFAULT if stored is None else SettingSource.OFFICE
    return SettingRow(
        setting,
        source,
        getattr(merged, setting.name),
        stored.changed_by if stored else "",
        stored.changed_at if stored else None,
    )


def _stored_form(setting: EditableSetting, value: Any) -> str:
    text = as_text(value)
    return encryption.encrypt(text, settings=app_context.start_settings()) if setting.is_secret else text


def _change(before: str, after: str) -> str:
    """Text for the audit log. When both look the same, only the secret has changed."""
    return "Password changed." if before == after else f"From {_quoted(before)} to {_quoted(after)}."


def _quoted(text: str) -> str:
    return f"“{text}”" if text else "empty"
