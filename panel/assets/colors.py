"""Colors: those of `static/css/tokens.css`, OKLCH and sRGB, and contrast by WCAG 2.2."""

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache

from panel.settings import ROOT

TOKENS = ROOT / "static" / "css" / "tokens.css"
# Of text on its background, by WCAG 2.2, level AA.
MIN_CONTRAST = 4.5

Color = tuple[int, int, int]
Oklch = tuple[float, float, float]

_LCH = r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)"
_TOKEN = re.compile(rf"--([a-z-]+):\s*light-dark\({_LCH}, {_LCH}\)")
_HEX = re.compile(r"#[0-9a-f]{6}", re.ASCII)
# How far lightness moves in one step when a readable shade is looked for.
_STEP = 0.005


@cache
def tokens() -> tuple[Mapping[str, Color], Mapping[str, Color]]:
    """The tokens of the light and of the dark scheme, by name."""
    light, dark = {}, {}
    for name, *numbers in _TOKEN.findall(TOKENS.read_text()):
        first, second = _oklch(numbers[:3]), _oklch(numbers[3:])
        light[name], dark[name] = rgb(*first), rgb(*second)
    return light, dark


def _oklch(numbers: Sequence[str]) -> Oklch:
    light, chroma, hue = numbers
    return float(light) / 100, float(chroma), float(hue)


def parse_hex(text: str) -> Color | None:
    """A color such as `#0a5c36`; None for any other text."""
    if not _HEX.fullmatch(text):
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def as_hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio of two colors, from 1 to 21."""
    lower, higher = sorted((_luminance(one), _luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def lowest_contrast(color: Color, others: Sequence[Color]) -> float:
    return min(contrast(color, other) for other in others)


def shown_contrast(found: float) -> str:
    """With one decimal, rounded down, so that 4.49 doesn't read as enough."""
    return f"{int(found * 10) / 10}"


def readable_shade(color: Color, others: Sequence[Color], *, darker: bool) -> Color:
    """The nearest shade of this color, darker or lighter, with enough contrast to all others."""
    light, chroma, hue = oklch(color)
    while lowest_contrast(color, others) < MIN_CONTRAST and 0 < light < 1:
        light = max(0.0, light - _STEP) if darker else min(1.0, light + _STEP)
        color = rgb(light, chroma, hue)
    return color


def rgb(light: float, chroma: float, hue: float) -> Color:
    """A color of OKLCH as bytes of sRGB, by the definition of CSS Color 4."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = _byte(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short)
    green = _byte(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short)
    blue = _byte(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short)
    return red, green, blue


def oklch(color: Color) -> Oklch:
    """Lightness, chroma and hue of an sRGB color."""
    red, green, blue = (_linear(byte) for byte in color)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    light = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    return light, math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360


def _luminance(color: Color) -> float:
    red, green, blue = (_linear(byte) for byte in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(byte: int) -> float:
    shown = byte / 255
    return shown / 12.92 if shown <= 0.04045 else ((shown + 0.055) / 1.055) ** 2.4


def _byte(linear: float) -> int:
    shown = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(1.0, max(0.0, shown)))
