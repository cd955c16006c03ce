"""Share images (Open Graph): one per status with a large tag, and one for all other pages.

Rendered at the first request, in the colors of `static/css/tokens.css`, and stored in the instance folder. The name
holds a digest of all that the picture depends on, so that a picture may be cached for ever.
"""

import hashlib
import io
import math
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import PIL
from PIL import Image, ImageDraw, ImageFont

from panel.domain.status import Status
from panel.settings import ROOT

WIDTH, HEIGHT = 1200, 630
# Rendered larger and scaled down for smooth edges.
TIMES = 2
MARGIN = 84
TAG_HEIGHT = 168
TOKENS = ROOT / "static" / "css" / "tokens.css"

Color = tuple[int, int, int]
Box = tuple[float, float, float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be seen: the tag of a status or a heading alone, a sentence, and the site's name."""

    name: str
    heading: str
    sentence: str
    site_name: str
    status: Status | None = None

    @property
    def file_name(self) -> str:
        """`partial-3f9c….png`: other after every change to the text, the colors, the drawing or its library."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (repr(self), PIL.__version__):
            digest.update(part.encode())
        digest.update(_digest_source())
        return f"{self.name}-{digest.hexdigest()}.png"


def kept(picture: Picture, *, folder: Path) -> bytes:
    """The picture as a PNG file, rendered if the folder does not have it yet."""
    path = folder / picture.file_name
    if path.exists():
        return path.read_bytes()
    content = draw(picture)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{os.getpid()}.{secrets.token_hex(4)}"
    fresh.write_bytes(content)
    fresh.replace(path)
    return content


def draw(picture: Picture) -> bytes:
    """Render the picture as a PNG file."""
    image = Image.new("RGB", (WIDTH * TIMES, HEIGHT * TIMES), colors()["page"])
    pen = ImageDraw.Draw(image)
    _write(pen, picture.site_name, top=62, size=38, color="ink-soft")
    if picture.status is None:
        below = _write(pen, picture.heading, top=180, size=84, color="ink")
    else:
        _tag(pen, picture.status)
        below = _write(pen, picture.heading, top=388, size=50, color="ink")
    _write(pen, picture.sentence, top=below + 22, size=36, color="ink-soft")
    pen.rectangle(_scaled((0, HEIGHT - 14, WIDTH, HEIGHT)), fill=colors()["act"])
    smooth = image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    smooth.quantize(128).save(file, "PNG", optimize=True)
    return file.getvalue()


@cache
def colors() -> Mapping[str, Color]:
    """The tokens of the light scheme, by name."""
    found = re.findall(r"--([a-z-]+):\s*light-dark\(oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", TOKENS.read_text())
    return {name: _rgb(float(light) / 100, float(chroma), float(hue)) for name, light, chroma, hue in found}


@cache
def _digest_source() -> bytes:
    return Path(__file__).read_bytes() + TOKENS.read_bytes()


def _rgb(light: float, chroma: float, hue: float) -> Color:
    """A color of OKLCH as bytes of sRGB, by the definition of CSS Color 4."""
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = _byte(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short)
    green = _byte(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short)
    blue = _byte(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short)
    return red, green, blue


def _byte(linear: float) -> int:
    shown = 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(255 * min(1.0, max(0.0, shown)))


def _tag(pen: ImageDraw.ImageDraw, status: Status) -> None:
    """The tag as pages show it: Completed is the quietest, and Pending has a dashed outline."""
    tone = status.facts.tone
    color, tint = colors()[f"{tone}-fg"], colors()[f"{tone}-bg"]
    font = _font(92)
    is_bare = status is Status.COMPLETED
    left, top = MARGIN - (50 if is_bare else 0), 178
    box = (left, top, left + 260 + pen.textlength(status.label, font=font) / TIMES, top + TAG_HEIGHT)
    if not is_bare:
        radius = (TAG_HEIGHT // 2 if status.is_moving else 18) * TIMES
        pen.rounded_rectangle(_scaled(box), radius, fill=tint, outline=color, width=6 * TIMES)
    if status is Status.PENDING:
        _gaps(pen, box, tint)
    _SIGNS[status](pen, (left + 50, top + 36, left + 146, top + 132), color)
    pen.text((_times(left + 180), _times(top + TAG_HEIGHT / 2)), status.label, font=font, fill=color, anchor="lm")


def _gaps(pen: ImageDraw.ImageDraw, box: Box, tint: Color) -> None:
    """Cut the outline of a tag into dashes."""
    left, top, right, bottom = box
    for x in range(round(left + TAG_HEIGHT / 2), round(right - TAG_HEIGHT / 2), 34):
        pen.rectangle(_scaled((x, top, x + 12, top + 6)), fill=tint)
        pen.rectangle(_scaled((x, bottom - 6, x + 12, bottom)), fill=tint)
    for start in range(90, 270, 23):
        pen.arc(_scaled((left, top, left + TAG_HEIGHT, bottom)), start, start + 8, fill=tint, width=7 * TIMES)
        pen.arc(_scaled((right - TAG_HEIGHT, top, right, bottom)), start - 180, start - 172, fill=tint, width=7 * TIMES)


def _write(pen: ImageDraw.ImageDraw, text: str, *, top: int, size: int, color: str) -> int:
    """A text in lines that fit between the margins; where it ends."""
    font, lines = _font(size), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if pen.textlength(longer, font=font) <= (WIDTH - 2 * MARGIN) * TIMES:
            lines[-1] = longer
        else:
            lines.append(word)
    whole, spacing, place = "\n".join(lines), size * TIMES // 3, (MARGIN * TIMES, top * TIMES)
    pen.multiline_text(place, whole, font=font, fill=colors()[color], spacing=spacing)
    return round(pen.multiline_textbbox(place, whole, font=font, spacing=spacing)[3] / TIMES)


@cache
def _font(size: int) -> Font:
    # The library's own open font: nothing to fetch, and the same on every machine.
    return ImageFont.load_default(size=size * TIMES)


def _times(length: float) -> int:
    return round(length * TIMES)


def _scaled(box: Box) -> Box:
    return (box[0] * TIMES, box[1] * TIMES, box[2] * TIMES, box[3] * TIMES)


def _inside(box: Box, left: float, top: float, right: float, bottom: float) -> Box:
    """A part of a sign's box, in sixteenths of it as in the icons' own drawings."""
    unit = (box[2] - box[0]) / 16
    return _scaled((box[0] + left * unit, box[1] + top * unit, box[0] + right * unit, box[1] + bottom * unit))


def _line(box: Box) -> int:
    """How wide a sign's lines are."""
    return _times((box[2] - box[0]) / 8)


def _ring(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    pen.ellipse(_inside(box, 1, 1, 15, 15), outline=color, width=_line(box))


def _square(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    pen.rounded_rectangle(_inside(box, 1, 1, 15, 15), _line(box), outline=color, width=_line(box))


def _dashed_ring(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    for start in range(0, 360, 45):
        pen.arc(_inside(box, 1, 1, 15, 15), start, start + 26, fill=color, width=_line(box))


def _quarter(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    _ring(pen, box, color)
    pen.pieslice(_inside(box, 3.5, 3.5, 12.5, 12.5), 270, 360, fill=color)


def _half(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    _ring(pen, box, color)
    pen.pieslice(_inside(box, 3.5, 3.5, 12.5, 12.5), 270, 450, fill=color)


def _tick(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    pen.rounded_rectangle(_inside(box, 1, 1, 15, 15), _line(box), fill=color)
    start, turn = _inside(box, 4.1, 8, 6.9, 10.9)[:2], _inside(box, 6.9, 10.9, 12, 4.6)
    pen.line([start, turn[:2], turn[2:]], fill=colors()["card"], width=_line(box), joint="curve")


def _lower_half(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    _square(pen, box, color)
    pen.rectangle(_inside(box, 4.2, 8.2, 11.8, 11.8), fill=color)


def _cross(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    _square(pen, box, color)
    pen.line(_inside(box, 5.2, 5.2, 10.8, 10.8), fill=color, width=_line(box))
    left, top, right, bottom = _inside(box, 5.2, 5.2, 10.8, 10.8)
    pen.line((left, bottom, right, top), fill=color, width=_line(box))


def _ring_arrow(pen: ImageDraw.ImageDraw, box: Box, color: Color) -> None:
    pen.arc(_inside(box, 1, 1, 15, 15), 8, 318, fill=color, width=_line(box))
    left, top, right, bottom = _inside(box, 9.6, 1.6, 14.8, 6.8)
    pen.polygon([(right, top), (right, bottom), (left, bottom)], fill=color)


# Every status has its sign, as in `templates/components/icons`.
_SIGNS: Mapping[Status, Callable[[ImageDraw.ImageDraw, Box, Color], None]] = {
    Status.PENDING: _dashed_ring,
    Status.PROCESSING: _quarter,
    Status.IN_PROGRESS: _half,
    Status.COMPLETED: _tick,
    Status.PARTIAL: _lower_half,
    Status.CANCELED: _cross,
    Status.REFILL: _ring_arrow,
}
