"""Accent color of links and buttons, one for each color scheme, whose contrast is checked before it is saved."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select

from panel.assets import colors
from panel.assets.colors import Color
from panel.assets.stylesheets import ACCENT
from panel.db import db
from panel.domain.errors import BadInput, StaleForm
from panel.models import StoredSetting
from panel.services.stored_settings import changes

# Links stand on these.
_BACKGROUNDS = ("page", "card", "sunk")


class ColorScheme(StrEnum):
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class AccentColors:
    """A color such as `#0a5c36` for each scheme; empty for the default."""

    light: str
    dark: str

    @property
    def stored(self) -> str:
        return f"{self.light[1:]}-{self.dark[1:]}"


NONE = AccentColors("", "")


def find() -> AccentColors:
    """The colors as the database has them now."""
    stored = db.session.scalar(select(StoredSetting.value).where(StoredSetting.name == ACCENT)) or "-"
    light, _, dark = stored.partition("-")
    return AccentColors(light and f"#{light}", dark and f"#{dark}")


def default(scheme: ColorScheme) -> str:
    return colors.as_hex(_tokens(scheme)["act"])


def save(typed: AccentColors, *, seen: str, actor: str, now: datetime) -> bool:
    """Save both colors; an empty one returns to the default. False if nothing changed. Raises BadInput, StaleForm."""
    wanted = AccentColors(_checked(typed.light, ColorScheme.LIGHT), _checked(typed.dark, ColorScheme.DARK))
    changes.lock()
    before = find()
    if before.stored != seen:
        raise StaleForm(changes.CHANGED_MEANWHILE)
    if wanted == before:
        return False
    detail = f"Light {wanted.light or 'default'}, dark {wanted.dark or 'default'}."
    changes.store(ACCENT, None if wanted == NONE else wanted.stored, detail=detail, actor=actor, now=now)
    return True


def _checked(typed: str, scheme: ColorScheme) -> str:
    """The color, if it can be read on every background of the scheme. Raises BadInput, which names one that can."""
    if not typed:
        return ""
    color = colors.parse_hex(typed.lower())
    if color is None:
        raise BadInput("Enter a color as # and six digits, such as #0a5c36.", field=scheme)
    others = _others(scheme)
    found = colors.lowest_contrast(color, others)
    if found < colors.MIN_CONTRAST:
        right = colors.as_hex(colors.readable_shade(color, others, darker=scheme is ColorScheme.LIGHT))
        ratio = colors.shown_contrast(found)
        raise BadInput(
            f"{typed} can’t be read well in the {scheme} scheme: its contrast is {ratio}:1, and it needs "
            f"{colors.MIN_CONTRAST}:1. The nearest that is right is {right}.",
            field=scheme,
        )
    return colors.as_hex(color)


def _others(scheme: ColorScheme) -> list[Color]:
    """Colors that need enough contrast to the accent: the backgrounds of links, and the text on buttons."""
    tokens = _tokens(scheme)
    return [tokens[name] for name in (*_BACKGROUNDS, "on-act")]


def _tokens(scheme: ColorScheme) -> dict[str, Color]:
    light, dark = colors.tokens()
    return dict(light if scheme is ColorScheme.LIGHT else dark)
