"""Share images (Open Graph): one per status with a large tag, and one for all other pages.

An SVG with the icons of `templates/components/icons` and the colors of `static/css/tokens.css`, rendered by resvg at
the first request and stored in the instance folder. The file name holds a digest of everything the image depends on,
so that it may be cached for ever.
"""

import hashlib
import io
import os
import secrets
import tempfile
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import IO

import PIL
import resvg_py
from PIL import Image, ImageFont

from panel.assets import colors
from panel.assets.colors import TOKENS, as_hex, tokens
from panel.domain.status import Status
from panel.settings import ROOT

WIDTH, HEIGHT = 1200, 630
MARGIN = 84
TAG_TOP, TAG_HEIGHT, TAG_ICON, TAG_FONT = 178, 168, 96, 92
LINE_HEIGHT = 1.25
PALETTE_COLORS = 128
ICONS = ROOT / "templates" / "components" / "icons"


@dataclass(frozen=True, slots=True)
class Picture:
    """Content of an image: a heading and a sentence, with the tag of a status above them or without one."""

    name: str
    heading: str
    sentence: str
    site_name: str
    status: Status | None = None

    @property
    def file_name(self) -> str:
        """`partial-3f9c….png`: a digest of the text, the colors, the icons, this module and its libraries."""
        digest = hashlib.blake2b(digest_size=8)
        for part in (repr(self), PIL.__version__, resvg_py.__version__):
            digest.update(part.encode())
        digest.update(_digest_source())
        return f"{self.name}-{digest.hexdigest()}.png"


def cached_png(picture: Picture, *, folder: Path) -> bytes:
    """The PNG file from the folder, rendered first if it isn't there yet."""
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
    rendered = resvg_py.svg_to_bytes(svg_string=svg(picture), skip_system_fonts=True, font_files=[_font_file().name])
    file = io.BytesIO()
    Image.open(io.BytesIO(rendered)).convert("RGB").quantize(PALETTE_COLORS).save(file, "PNG", optimize=True)
    return file.getvalue()


def svg(picture: Picture) -> str:
    """The picture as SVG, its text already broken into lines."""
    tag = "" if picture.status is None else _tag(picture.status)
    heading, below = _text(picture.heading, top=388 if tag else 180, size=50 if tag else 84, color="ink")
    sentence, _end = _text(picture.sentence, top=below + 22, size=36, color="ink-soft")
    site_name, _end = _text(picture.site_name, top=62, size=38, color="ink-soft")
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"
 font-family="{_font(TAG_FONT).getname()[0]}">
<rect width="{WIDTH}" height="{HEIGHT}" fill="{_css("page")}"/>
{site_name}{tag}{heading}{sentence}
<rect y="{HEIGHT - 14}" width="{WIDTH}" height="14" fill="{_css("act")}"/>
</svg>"""


@cache
def _digest_source() -> bytes:
    return b"".join(
        path.read_bytes() for path in (Path(__file__), Path(colors.__file__), TOKENS, *sorted(ICONS.glob("*.svg")))
    )


def _css(token: str) -> str:
    light, _dark = tokens()
    return as_hex(light[token])


def _tag(status: Status) -> str:
    """The tag as on pages: Completed has no outline, Pending a dashed one, final statuses have square corners."""
    tone = status.facts.tone
    is_bare = status is Status.COMPLETED
    left, middle = MARGIN - (50 if is_bare else 0), TAG_TOP + TAG_HEIGHT / 2
    width = 260 + _font(TAG_FONT).getlength(status.label)
    color, ground = _css(f"{tone}-fg"), _css(f"{tone}-bg")
    radius = TAG_HEIGHT // 2 if status.is_moving else 18
    dashes = "22 12" if status is Status.PENDING else "none"
    outline = (
        f'<rect x="{left}" y="{TAG_TOP}" width="{width:.0f}" height="{TAG_HEIGHT}" rx="{radius}"'
        f' fill="{ground}" stroke="{color}" stroke-width="6" stroke-dasharray="{dashes}"/>'
    )
    icon = (ICONS / f"{status.slug}.svg").read_text().replace("currentColor", color)
    scale = TAG_ICON / 16
    return f"""{"" if is_bare else outline}
<g transform="translate({left + 50} {middle - TAG_ICON / 2}) scale({scale})">{icon}</g>
<text x="{left + 180}" y="{middle + 0.35 * TAG_FONT:.0f}" font-size="{TAG_FONT}"
 fill="{color}">{escape(status.label)}</text>"""


def _text(text: str, *, top: float, size: int, color: str) -> tuple[str, float]:
    """The text in lines that fit between the margins, and the y coordinate where it ends."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font(size).getlength(longer) <= WIDTH - 2 * MARGIN:
            lines[-1] = longer
        else:
            lines.append(word)
    step = size * LINE_HEIGHT
    rendered = "".join(
        f'<text x="{MARGIN}" y="{top + size + row * step:.0f}" font-size="{size}" fill="{_css(color)}">'
        f"{escape(line)}</text>"
        for row, line in enumerate(lines)
    )
    return rendered, top + len(lines) * step


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Pillow ships this open font: nothing to download, and the same on every machine.
    font = ImageFont.load_default(size=size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType, so it has no scalable font.")
    return font


@cache
def _font_file() -> IO[bytes]:
    """The same font as a file, which resvg needs. It is deleted when the process ends."""
    file = tempfile.NamedTemporaryFile(suffix=".ttf")  # noqa: SIM115
    file.write(_font(TAG_FONT).font_bytes)
    file.flush()
    return file
