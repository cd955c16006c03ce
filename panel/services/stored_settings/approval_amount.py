"""Approval limit as a setting: one owner lowers it alone; to raise it, somebody else must approve the proposal.

Otherwise one person could raise it, and then move money without the second one.
"""

from collections.abc import Mapping
from datetime import datetime

from panel.domain.errors import ActionRefused
from panel.domain.money import NANOS_PER_UNIT
from panel.services.stored_settings import changes
from panel.services.stored_settings.registry import SETTINGS, SettingGroup

_SETTING = SETTINGS["second_operator_amount"]


def higher_limit(typed: Mapping[str, str]) -> int | None:
    """The typed limit in nanos if it is above the present one; None if it isn't. Raises BadInput."""
    if (row := _row()).is_fixed:
        return None
    text = typed.get(_SETTING.name, "").strip()
    wanted: int = _SETTING.parse(text) if text else _SETTING.default
    return wanted * NANOS_PER_UNIT if wanted > row.value else None


def apply(limit_nanos: int, *, actor: str, now: datetime) -> None:
    """Set the approved limit. Raises ActionRefused if the environment sets it now."""
    changes.lock()
    row, limit = _row(), limit_nanos // NANOS_PER_UNIT
    if row.is_fixed:
        raise ActionRefused(f"{_SETTING.environment_name} in the environment sets the limit. Change it there.")
    detail = f"From “{row.shown}” to “{_SETTING.shown(limit)}”."
    value = None if limit == _SETTING.default else str(limit)
    changes.store(_SETTING.name, value, action="approvals limit", detail=detail, actor=actor, now=now)


def _row() -> changes.SettingRow:
    (row,) = changes.rows(SettingGroup.APPROVALS)
    return row
